// SPDX-License-Identifier: Apache-2.0

package provider

// FieldSeparator joins the fields of a header that is sent several times, where
// they are kept as one: the location's own separator, else the comma that HTTP
// joins fields with (RFC 9110, section 5.3).
func (l *Location) FieldSeparator() string {
	if l.Separator != "" {
		return l.Separator
	}
	return ", "
}
