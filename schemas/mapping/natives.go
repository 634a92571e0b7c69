// SPDX-License-Identifier: Apache-2.0

package mapping

import (
	"strconv"
	"strings"
	"sync"

	"github.com/itchyny/gojq"
)

// native is a function or an operator of jq that gojq implements in Go. gojq runs
// it in one instruction however much it reads and writes, so its cost is taken from
// the budget first.
type native struct {
	cost cost
	// arity is the number of arguments.
	arity int
	// quick answers the common cases as gojq does, and false for the others.
	// It may be nil.
	quick func(in any, args []any) (any, bool)
	code  func() *gojq.Code
}

// call runs the function. Operators have no input and two arguments.
func (n *native) call(b *budget, in any, args []any) (any, error) {
	if err := b.spend(n.cost(in, args, b.bytes)); err != nil {
		return nil, err
	}
	if n.quick != nil {
		if v, ok := n.quick(in, args); ok {
			return v, nil
		}
	}
	v, _ := n.code().Run(in, args...).Next()
	if err, failed := v.(error); failed {
		return nil, err
	}
	return v, nil
}

// signature is a function's name and number of arguments, as jq writes it.
func signature(name string, arity int) string { return name + "/" + strconv.Itoa(arity) }

// natives are the functions by signature.
var natives = func() map[string]*native {
	all := map[string]*native{}
	for _, g := range costs {
		for name := range strings.FieldsSeq(g.names) {
			all[name] = &native{
				cost: g.cost, quick: quick[name], arity: int(name[len(name)-1] - '0'),
				code: sync.OnceValue(func() *gojq.Code { return compileCall(name) }),
			}
		}
	}
	return all
}()

// compileCall compiles the call of a function with variables as its arguments.
func compileCall(signature string) *gojq.Code {
	source, arity, _ := strings.Cut(signature, "/")
	variables := []string{"$a", "$b", "$c"}[:arity[0]-'0']
	if len(variables) > 0 {
		source += "(" + strings.Join(variables, ";") + ")"
	}
	query, err := gojq.Parse(source)
	if err != nil {
		panic(err) // a test compiles every one
	}
	code, err := gojq.Compile(query, gojq.WithVariables(variables))
	if err != nil {
		panic(err)
	}
	return code
}
