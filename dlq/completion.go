// SPDX-License-Identifier: Apache-2.0

package dlq

import (
	"fmt"
	"io"
	"slices"
	"strings"

	"github.com/alecthomas/kong"
)

type completionCommand struct {
	Shell string `arg:"" help:"bash, zsh or fish." enum:"bash,zsh,fish"`
}

// Help is what --help adds.
func (completionCommand) Help() string {
	return `Examples:
  bash  source <(dlq completion bash)
  zsh   source <(dlq completion zsh)
  fish  dlq completion fish | source`
}

// Run prints a script that completes commands, flags and the values of flags
// that are one of a few. It is made from the command line's own model, so it
// cannot be out of date.
func (c *completionCommand) Run(s *session, app *kong.Kong) error {
	words := wordsOf(app.Model)
	switch c.Shell {
	case "fish":
		return words.fish(s.Out)
	case "zsh":
		if _, err := io.WriteString(s.Out, "autoload -U +X bashcompinit && bashcompinit\n"); err != nil {
			return err
		}
	}
	return words.bash(s.Out)
}

// completion is what can be typed.
type completion struct {
	commands []*kong.Node
	// flags by command; those of all commands are under "".
	flags map[string][]*kong.Flag
}

func wordsOf(model *kong.Application) *completion {
	c := &completion{flags: map[string][]*kong.Flag{"": shown(model.Flags)}}
	for _, n := range model.Children {
		if n.Hidden {
			continue
		}
		c.commands = append(c.commands, n)
		c.flags[n.Name] = shown(n.Flags)
	}
	return c
}

func shown(flags []*kong.Flag) []*kong.Flag {
	return slices.DeleteFunc(slices.Clone(flags), func(f *kong.Flag) bool { return f.Hidden || unused[f.Name] })
}

func values(f *kong.Flag) []string {
	return slices.DeleteFunc(f.EnumSlice(), func(v string) bool { return v == "" })
}

// bash writes a function for complete -F, which zsh's bashcompinit runs too.
func (c *completion) bash(w io.Writer) error {
	var b strings.Builder
	b.WriteString("_dlq() {\n  local cur=\"${COMP_WORDS[COMP_CWORD]}\" command=\"\" word previous candidates=\"\"\n")
	b.WriteString("  (( COMP_CWORD > 0 )) && previous=\"${COMP_WORDS[COMP_CWORD-1]}\"\n")
	fmt.Fprintf(&b, "  for word in \"${COMP_WORDS[@]:1:$((COMP_CWORD-1))}\"; do\n    case \"$word\" in\n      %s) command=\"$word\"; break ;;\n    esac\n  done\n", strings.Join(names(c.commands), "|"))
	b.WriteString("  case \"$command $previous\" in\n")
	for _, command := range c.commands {
		for _, f := range c.flags[command.Name] {
			if v := values(f); len(v) > 0 {
				typed := fmt.Sprintf("%q", command.Name+" --"+f.Name)
				if f.Short != 0 {
					typed += fmt.Sprintf(" | %q", command.Name+" -"+string(f.Short))
				}
				fmt.Fprintf(&b, "    %s) candidates=\"%s\" ;;\n", typed, strings.Join(v, " "))
			}
		}
	}
	b.WriteString("  esac\n  if [[ -z \"$candidates\" ]]; then\n    case \"$command\" in\n")
	all := strings.Join(long(c.flags[""]), " ")
	fmt.Fprintf(&b, "      \"\") candidates=\"%s %s\" ;;\n", strings.Join(names(c.commands), " "), all)
	for _, command := range c.commands {
		fmt.Fprintf(&b, "      %s) candidates=\"%s %s\" ;;\n", command.Name, strings.Join(long(c.flags[command.Name]), " "), all)
	}
	b.WriteString("    esac\n  fi\n  COMPREPLY=($(compgen -W \"$candidates\" -- \"$cur\"))\n}\ncomplete -o default -F _dlq dlq\n")
	_, err := io.WriteString(w, b.String())
	return err
}

func names(nodes []*kong.Node) []string {
	var out []string
	for _, n := range nodes {
		out = append(out, n.Name)
	}
	return out
}

func long(flags []*kong.Flag) []string {
	var out []string
	for _, f := range flags {
		out = append(out, "--"+f.Name)
	}
	return out
}

// fish writes one line a word, with its help.
func (c *completion) fish(w io.Writer) error {
	var b strings.Builder
	for _, n := range c.commands {
		fmt.Fprintf(&b, "complete -c dlq -f -n __fish_use_subcommand -a %s -d %s\n", n.Name, quoted(n.Help))
	}
	for _, f := range c.flags[""] {
		b.WriteString(fishFlag("", f))
	}
	for _, n := range c.commands {
		for _, f := range c.flags[n.Name] {
			b.WriteString(fishFlag(" -n "+quoted("__fish_seen_subcommand_from "+n.Name), f))
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func fishFlag(when string, f *kong.Flag) string {
	line := "complete -c dlq" + when + " -l " + f.Name
	if f.Short != 0 {
		line += " -s " + string(f.Short)
	}
	if v := values(f); len(v) > 0 {
		line += " -x -a " + quoted(strings.Join(v, " "))
	} else if !f.IsBool() {
		line += " -r"
	}
	return line + " -d " + quoted(f.Help) + "\n"
}

// quoted is s in single quotes, for fish.
func quoted(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(s) + "'"
}
