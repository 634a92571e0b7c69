// SPDX-License-Identifier: Apache-2.0

package provider

import "go.yaml.in/yaml/v4"

// UnmarshalYAML reads one scheme or a list of them.
func (v *Verifications) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		type list Verifications
		return n.Load((*list)(v), yaml.WithKnownFields())
	}
	*v = make(Verifications, 1)
	return n.Load(&(*v)[0], yaml.WithKnownFields())
}

// UnmarshalYAML reads one template or a list of segments.
func (s *Segments) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.SequenceNode {
		type list Segments
		return n.Load((*list)(s), yaml.WithKnownFields())
	}
	*s = make(Segments, 1)
	return n.Load(&(*s)[0], yaml.WithKnownFields())
}

// UnmarshalYAML reads a template or {optional: template}.
func (s *Segment) UnmarshalYAML(n *yaml.Node) error {
	if n.Kind == yaml.ScalarNode {
		return n.Load(&s.Template)
	}
	var optional struct {
		Optional Template `yaml:"optional"`
	}
	err := n.Load(&optional, yaml.WithKnownFields())
	s.Template, s.Optional = optional.Optional, true
	return err
}
