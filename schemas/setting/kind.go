// SPDX-License-Identifier: Apache-2.0

package setting

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"reflect"
	"regexp"
	"strconv"
	"strings"
	"unicode"
)

// kind is what the text of a setting must be. Its error ends the sentence that
// begins with the setting's name, and says the value only where that is no secret.
type kind func(text string) error

// kinds by the name that tags have for them.
var kinds = map[string]kind{
	"listener":     listener,
	"server":       server,
	"url":          webURL,
	"origin":       originURL,
	"file":         file,
	"folder":       folder,
	"certificates": certificates,
	"topic":        topicName,
	"prefix":       topicPrefix,
	"name":         name,
	"header":       headerText,
	"level":        level,
}

const optional = "optional "

// is holds text, or each of several, to a kind.
func is(setting string, v reflect.Value, tag string) error {
	what, mayBeEmpty := strings.CutPrefix(tag, optional)
	k, known := kinds[what]
	if !known {
		panic(fmt.Sprintf("%s is of the unknown kind %q", setting, what))
	}
	if v.Kind() != reflect.Slice {
		return one(setting, v.String(), mayBeEmpty, k)
	}
	var errs []error
	if v.Len() == 0 && !mayBeEmpty {
		errs = append(errs, fmt.Errorf("%s is empty", setting))
	}
	for i := range v.Len() {
		errs = append(errs, one(setting, strings.TrimSpace(v.Index(i).String()), false, k))
	}
	return errors.Join(errs...)
}

func one(setting, text string, mayBeEmpty bool, k kind) error {
	if text == "" {
		if mayBeEmpty {
			return nil
		}
		return fmt.Errorf("%s is empty, or a part of it", setting)
	}
	if err := k(text); err != nil {
		return fmt.Errorf("%s %w", setting, err)
	}
	return nil
}

// hostPattern is a name that DNS, or a file of hosts, may know.
var hostPattern = regexp.MustCompile(`^[A-Za-z0-9_]([A-Za-z0-9_.-]*[A-Za-z0-9_.])?$`)

func validHost(host string) bool {
	if _, err := netip.ParseAddr(host); err == nil {
		return true
	}
	return len(host) <= 253 && hostPattern.MatchString(host)
}

func validPort(port string, least uint64) bool {
	n, err := strconv.ParseUint(port, 10, 16)
	return err == nil && n >= least
}

// listener is where to listen: HOST:PORT, or :PORT for all addresses.
func listener(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil || host != "" && !validHost(host) || !validPort(port, 0) {
		return fmt.Errorf("is %.60q, must be HOST:PORT, or :PORT for all addresses", text)
	}
	return nil
}

// server is where another listens: HOST:PORT, or HOST for the usual port.
func server(text string) error {
	host, port, err := net.SplitHostPort(text)
	if err != nil {
		host, port = strings.Trim(text, "[]"), "1"
	}
	if !validHost(host) || !validPort(port, 1) {
		return fmt.Errorf("has %.60q, which is not HOST:PORT", text)
	}
	return nil
}

// webURL is where a server is asked. What is wrong with it is said without
// repeating it: it may hold a password in the wrong place.
func webURL(text string) error {
	u, err := url.Parse(text)
	switch {
	case err == nil && u.User != nil:
		return errors.New("must not hold a user or a password: they have settings of their own")
	case err != nil || u.Scheme != "http" && u.Scheme != "https":
		return errors.New("must be an http or https URL, such as https://host.example.com:8081")
	case !validHost(u.Hostname()) || u.Port() != "" && !validPort(u.Port(), 1):
		return errors.New("has no valid host and port; it must be an http or https URL, such as https://host.example.com:8081")
	case u.RawQuery != "" || u.Fragment != "":
		return errors.New("must not have a query or a fragment")
	}
	return nil
}

// originURL is a URL without a path.
func originURL(text string) error {
	if err := webURL(text); err != nil {
		return err
	}
	if u, err := url.Parse(text); err != nil || u.Path != "" {
		return errors.New("must be a scheme and a host and nothing more")
	}
	return nil
}

// CheckURL says what is wrong with a URL that a server is to be asked at, without
// repeating it: it may hold a password in the wrong place.
func CheckURL(text string) error { return webURL(text) }

var topicPattern = regexp.MustCompile(`^[a-zA-Z0-9._-]+$`)

// maxTopic is the longest name of a topic that Kafka allows.
const maxTopic = 249

func topicName(text string) error {
	if !topicPattern.MatchString(text) || len(text) > maxTopic || text == "." || text == ".." {
		return fmt.Errorf("is %.60q, must be a topic's name: up to %d letters, digits, dots, dashes and underscores", text, maxTopic)
	}
	return nil
}

// maxEntity is what a topic's name has beside its prefix: an entity and its version.
const maxEntity = 40

func topicPrefix(text string) error {
	if !topicPattern.MatchString(text) || len(text) > maxTopic-maxEntity {
		return fmt.Errorf("is %.60q, must be the beginning of a topic's name: up to %d letters, digits, dots, dashes and underscores", text, maxTopic-maxEntity)
	}
	return nil
}

// maxName is what Kafka's own tools keep of the name of a group or a client.
const maxName = 249

func name(text string) error {
	if len(text) > maxName || strings.ContainsFunc(text, func(r rune) bool { return !unicode.IsPrint(r) }) {
		return fmt.Errorf("is %.60q, must be a name of up to %d printable characters", text, maxName)
	}
	return nil
}

// level is the lowest level that is logged.
func level(text string) error {
	switch strings.ToLower(text) {
	case "debug", "info", "warn", "error":
		return nil
	}
	return fmt.Errorf("is %.20q, must be debug, info, warn or error", text)
}

// headerText is what a header of a request can carry. It is a secret.
func headerText(text string) error {
	if strings.ContainsFunc(text, func(r rune) bool { return r < 0x20 || r == 0x7f }) {
		return errors.New("holds a control character, such as the end of a line")
	}
	return nil
}
