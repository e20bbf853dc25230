package filestore

import (
	"bytes"
	"errors"
	"io"
	"slices"
	"strings"

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
	if all, ok := parseQuick(file, data); ok {
		return all, nil
	}
	return parseWhole(file, data)
}

// parseWhole reads a file as YAML has it, in any form.
func parseWhole(file string, data []byte) (entries, []providers.Problem) {
	d := &decoder{file: file}
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
		d.add(n.Line, "%s where the keys %s must stand", describe(n), strings.Join(documentKeys, " and "))
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
			d.add(key.Line, "%s: %s", providers.Clip(key.Value), unknownKey(key.Value, documentKeys))
		case line > 0:
			d.add(key.Line, "%s: is given twice, first on line %d", key.Value, line)
		case empty && key.Value == "providers":
			d.add(key.Line, "providers: holds nothing; write `providers: []` if there are none")
		case empty:
		case value.Kind != yaml.SequenceNode:
			d.add(value.Line, "%s: %s where a list must stand", key.Value, describe(value))
		case key.Value == "providers":
			for i, item := range value.Content {
				all.providers = append(all.providers, d.provider(i, resolve(item)))
			}
		default:
			for i, item := range value.Content {
				all.routes = append(all.routes, d.route(i, resolve(item)))
			}
		}
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
		d.problems = append(d.problems, syntaxProblem(d.file, data, err))
		return nil
	}
	switch err := decode.Decode(&second); {
	case err == nil:
		d.add(second.Line, "a second document begins here; a catalog is one document")
		return nil
	case !errors.Is(err, io.EOF):
		d.problems = append(d.problems, syntaxProblem(d.file, data, err))
		return nil
	}
	root := resolve(first.Content[0])
	if root.Kind == yaml.ScalarNode && root.ShortTag() == "!!null" {
		d.add(1, "the file is empty; write `providers: []` if there are none")
		return nil
	}
	return root
}
