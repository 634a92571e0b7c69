// SPDX-License-Identifier: Apache-2.0

// Package kafka holds what a local Apache Kafka is made of: which artifacts, and
// how it is configured. Package kafkacluster runs it.
package kafka

import _ "embed" // for the files below

// Pom names the artifacts of Apache Kafka for Maven, which puts them into the
// folder ${output}.
//
//go:embed pom.xml
var Pom []byte

// ServerProperties is a broker's configuration, as a template of text/template.
//
//go:embed server.properties
var ServerProperties string

// Log4j2 is the configuration of a broker's log.
//
//go:embed log4j2.xml
var Log4j2 []byte
