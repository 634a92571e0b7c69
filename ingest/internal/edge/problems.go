// SPDX-License-Identifier: Apache-2.0

package edge

import "github.com/hookstream/hookstream/stage/problem"

// Problems lists every problem that the edge answers with, for its description.
func Problems() []problem.Type {
	return []problem.Type{
		unreadableBody, invalidSignature, forbidden, notFound, methodNotAllowed, requestTimeout, tooLarge, headersTooLarge,
		unsupportedEncoding, rateLimited, overloaded, keysUnavailable, notAcknowledged, notConfirmed,
	}
}
