package filestore

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"unicode/utf8"

	"gopkg.in/yaml.v3"

	"github.com/voipbin/dialrouter/providers"
)

// entries is what a file holds, entry by entry, before it is known whether the entries fit together.
type entries struct {
	providers []providerEntry
	routes    []routeEntry
}

// parse reads the entries of a file, and all that is wrong with them one by one.
func parse(file string, data []byte) (entries, []providers.Problem) {
	d := &decoder{file: file}
	if line, what := unreadable(data); line > 0 {
		d.add(line, "%s", what)
		return entries{}, d.problems
	}
	var all entries
	if root := d.document(data); root != nil {
		all = d.root(root)
	}
	return all, d.problems
}

// root reads the document's top level.
func (d *decoder) root(n *yaml.Node) entries {
	var all entries
	if n.Kind != yaml.MappingNode {
		d.add(n.Line, "%s where the keys %v must stand", describe(n), documentKeys)
		return all
	}
	if firstLine(n.Content, "providers") == 0 {
		d.add(n.Line, "providers: is missing; write `providers: []` if there are none")
	}
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], resolve(n.Content[i+1])
		empty := value.Kind == yaml.ScalarNode && value.ShortTag() == "!!null"
		line := firstLine(n.Content[:i], key.Value)
		switch {
		case !slices.Contains(documentKeys, key.Value):
			d.unknown(key, providers.Clip(key.Value), documentKeys)
			continue
		case line > 0:
			d.add(key.Line, "%s: is given twice, first on line %d", key.Value, line)
			continue
		case empty && key.Value == "providers":
			d.add(key.Line, "providers: holds nothing; write `providers: []` if there are none")
			continue
		case empty:
			continue
		}
		d.list(key.Value, value, func(path string, item *yaml.Node) {
			if key.Value == "providers" {
				all.providers = append(all.providers, d.provider(path, item))
			} else {
				all.routes = append(all.routes, d.route(path, item))
			}
		})
	}
	return all
}

// document returns the root of the one document in data, nil after a problem.
func (d *decoder) document(data []byte) *yaml.Node {
	decode := yaml.NewDecoder(bytes.NewReader(data))
	var first, second yaml.Node
	switch err := decode.Decode(&first); {
	case errors.Is(err, io.EOF):
		d.add(1, "the file is empty; write `providers: []` if there are none")
		return nil
	case err != nil:
		d.syntax(err)
		return nil
	}
	switch err := decode.Decode(&second); {
	case err == nil:
		d.add(second.Line, "a second document begins here; a catalog is one document")
		return nil
	case !errors.Is(err, io.EOF):
		d.syntax(err)
		return nil
	}
	root := resolve(first.Content[0])
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		d.add(1, "the file is empty; write `providers: []` if there are none")
		return nil
	}
	return root
}

// yamlLine finds the line in an error of the YAML parser, which has no other way to tell it.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

func (d *decoder) syntax(err error) {
	text, line := err.Error(), 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	d.add(line, "not YAML: %s", text)
}

// unreadable finds bytes that no YAML file may hold, for which the parser has no line.
func unreadable(data []byte) (line int, what string) {
	line = 1
	for i := 0; i < len(data); {
		if c := data[i]; c < utf8.RuneSelf {
			if c == '\n' {
				line++
			} else if c < ' ' && c != '\t' && c != '\r' || c == 0x7F {
				return line, fmt.Sprintf("not YAML: control character %U", rune(c))
			}
			i++
			continue
		}
		r, size := utf8.DecodeRune(data[i:])
		if r == utf8.RuneError && size <= 1 {
			return line, fmt.Sprintf("not YAML: the byte 0x%02X is not UTF-8", data[i])
		}
		if r == 0xFFFE || r == 0xFFFF {
			return line, fmt.Sprintf("not YAML: character %U", r)
		}
		i += size
	}
	return 0, ""
}
