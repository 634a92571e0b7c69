// SPDX-License-Identifier: Apache-2.0

package document

import (
	"encoding/json"

	"go.yaml.in/yaml/v4"

	"github.com/hookstream/hookstream/schemas/event"
	"github.com/hookstream/hookstream/schemas/record"
	"github.com/hookstream/hookstream/schemas/topic"
)

// avroFormat is how AsyncAPI 3.0 names an Avro schema written as JSON.
const avroFormat = "application/vnd.apache.avro+json;version=1.9.0"

type asyncAPI struct {
	Version            string               `yaml:"asyncapi"`
	Info               info                 `yaml:"info"`
	DefaultContentType string               `yaml:"defaultContentType"`
	Channels           map[string]channel   `yaml:"channels"`
	Operations         map[string]operation `yaml:"operations"`
	Components         components           `yaml:"components"`
}

type info struct {
	Title       string `yaml:"title"`
	Version     string `yaml:"version"`
	Description string `yaml:"description"`
	License     struct {
		Name string `yaml:"name"`
	} `yaml:"license"`
}

type reference struct {
	Ref string `yaml:"$ref"`
}

type channel struct {
	Address     string               `yaml:"address"`
	Description string               `yaml:"description"`
	Messages    map[string]reference `yaml:"messages"`
}

type operation struct {
	Action   string      `yaml:"action"`
	Summary  string      `yaml:"summary"`
	Channel  reference   `yaml:"channel"`
	Messages []reference `yaml:"messages"`
}

type components struct {
	Messages map[string]message      `yaml:"messages"`
	Schemas  map[string]headerSchema `yaml:"schemas"`
}

type message struct {
	Name        string    `yaml:"name"`
	Title       string    `yaml:"title"`
	ContentType string    `yaml:"contentType"`
	Headers     reference `yaml:"headers"`
	Payload     struct {
		SchemaFormat string `yaml:"schemaFormat"`
		Schema       any    `yaml:"schema"`
	} `yaml:"payload"`
	Bindings messageBindings `yaml:"bindings"`
}

type messageBindings struct {
	Kafka kafkaBinding `yaml:"kafka"`
}

type kafkaBinding struct {
	Key              property `yaml:"key"`
	SchemaIDLocation string   `yaml:"schemaIdLocation"`
	SchemaIDEncoding string   `yaml:"schemaIdPayloadEncoding"`
	SchemaLookup     string   `yaml:"schemaLookupStrategy"`
	BindingVersion   string   `yaml:"bindingVersion"`
}

type headerSchema struct {
	Type       string              `yaml:"type"`
	Properties map[string]property `yaml:"properties"`
}

type property struct {
	Type        string `yaml:"type"`
	Description string `yaml:"description"`
}

// AsyncAPI is the AsyncAPI 3.0 document of the event topics, as YAML.
func AsyncAPI(names topic.Names) ([]byte, error) {
	doc := asyncAPI{
		Version: "3.0.0", DefaultContentType: record.AvroContentType,
		Info: info{
			Title: "Hookstream events", Version: "1",
			Description: "Webhooks as clean, deduplicated, ordered events. Read with isolation.level=read_committed.",
		},
		Channels: map[string]channel{}, Operations: map[string]operation{},
		Components: components{Messages: map[string]message{}, Schemas: map[string]headerSchema{"headers": headersSchema()}},
	}
	doc.Info.License.Name = "Apache-2.0"
	for _, e := range event.Entities() {
		m, err := messageOf(e)
		if err != nil {
			return nil, err
		}
		doc.Components.Messages[e.Name] = m
		doc.Channels[e.Name] = channel{
			Address: names.Events(e.Name), Description: e.Doc,
			Messages: map[string]reference{e.Name: {"#/components/messages/" + e.Name}},
		}
		doc.Operations["publish_"+e.Name] = operation{
			Action: "send", Summary: "Hookstream publishes events of the entity " + e.Name + ".",
			Channel:  reference{"#/channels/" + e.Name},
			Messages: []reference{{"#/channels/" + e.Name + "/messages/" + e.Name}},
		}
	}
	return yaml.Dump(doc, yaml.WithIndent(2))
}

func headersSchema() headerSchema {
	s := headerSchema{Type: "object", Properties: map[string]property{}}
	for _, h := range eventHeaders {
		s.Properties[h.name] = property{"string", h.meaning}
	}
	return s
}

func messageOf(e *event.Entity) (message, error) {
	m := message{Name: e.Name, Title: "A snapshot of the entity " + e.Name, ContentType: record.AvroContentType}
	m.Headers.Ref = "#/components/schemas/headers"
	m.Payload.SchemaFormat = avroFormat
	if err := json.Unmarshal([]byte(e.Schema()), &m.Payload.Schema); err != nil {
		return m, err
	}
	m.Bindings.Kafka = kafkaBinding{
		Key:              property{"string", "tenant/provider/entity id"},
		SchemaIDLocation: "payload", SchemaIDEncoding: "confluent", SchemaLookup: "TopicIdStrategy", BindingVersion: "0.5.0",
	}
	return m, nil
}
