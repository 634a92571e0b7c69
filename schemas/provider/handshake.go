// SPDX-License-Identifier: Apache-2.0

package provider

// Handshake is a request by which a provider checks the endpoint. It is
// answered and not stored.
type Handshake struct {
	Name string `yaml:"name"`
	// Method is POST where it is empty.
	Method string     `yaml:"method"`
	When   Conditions `yaml:"when"`
	// Unverified answers before the signature is looked at. It is implied for
	// other methods than POST.
	Unverified bool `yaml:"unverified"`
	// Token must equal the pair's verify token, which is configured beside
	// the secrets, where it is set.
	Token *Template `yaml:"token"`
	// Action is what is done besides answering; empty is nothing.
	Action Action `yaml:"action"`
	// URL and Hosts are where a confirmation goes.
	URL    Template `yaml:"url"`
	Hosts  []string `yaml:"hosts"`
	Answer Answer   `yaml:"answer"`
}

// Action is what a handshake asks for besides an answer.
type Action string

// The actions.
const (
	// Confirm requests the handshake's URL, on one of its hosts, where
	// outbound requests are allowed. Where they are not, the request is
	// stored like a webhook for an operator to find.
	Confirm Action = "confirm"
	// Capture keeps the secret that the provider sends, for an operator to
	// put in force.
	Capture Action = "capture"
)

// Answer is a response. References in the body are escaped as the content type
// demands.
type Answer struct {
	// Status is 200 where it is 0.
	Status      int      `yaml:"status"`
	ContentType string   `yaml:"content_type"`
	Body        Template `yaml:"body"`
}

// Conditions maps references, written as in templates but without braces, to
// the value that they must have; "*" is any that is not empty. All must hold.
type Conditions map[string]string

// Body says how a body is read.
type Body struct {
	// Formats are json, form and empty; none means json. The Content-Type
	// chooses between json and form where both are allowed.
	Formats []Format `yaml:"formats"`
	// Form is the field of a form that holds the event as JSON. Without it
	// the form's fields are the event.
	Form string `yaml:"form"`
	// Batch are paths to the items of a batch, in which * is any element of
	// an array, for example notificationItems.* or just *. Each item becomes
	// a record of its own, whose body is the request's with every such array
	// cut down to that one item.
	Batch []string `yaml:"batch"`
}

// Format is a way to write a body.
type Format string

// The formats.
const (
	JSON  Format = "json"
	Form  Format = "form"
	Empty Format = "empty"
)
