package filestore

import (
	"bytes"
	"fmt"
	"slices"
	"strings"

	"gopkg.in/yaml.v3"
)

// normalize writes a file anew with both lists in block style and without aliases, so that it has a layout. Comments
// and order stay, spacing may not.
func normalize(data []byte) ([]byte, error) {
	var root yaml.Node
	if err := yaml.Unmarshal(bytes.ReplaceAll(data, []byte("\r\n"), []byte("\n")), &root); err != nil {
		return nil, fmt.Errorf("%w (%w)", errHarm, err)
	}
	if len(root.Content) != 1 {
		return nil, errHarm
	}
	expanded := expand(root.Content[0])
	root.Content[0] = expanded
	expanded.Style = 0
	for i := 0; i+1 < len(expanded.Content); i += 2 {
		key, list := expanded.Content[i], expanded.Content[i+1]
		key.Style = 0
		if list.Kind == yaml.SequenceNode && len(list.Content) > 0 {
			list.Style = 0
			// What stood behind the bracket has no line of its own any more.
			key.HeadComment = strings.TrimLeft(key.HeadComment+"\n"+list.LineComment, "\n")
			list.LineComment = ""
		}
	}
	var b bytes.Buffer
	encode := yaml.NewEncoder(&b)
	encode.SetIndent(2)
	if err := encode.Encode(&root); err != nil {
		return nil, fmt.Errorf("%w (%w)", errHarm, err)
	}
	if err := encode.Close(); err != nil {
		return nil, fmt.Errorf("%w (%w)", errHarm, err)
	}
	if bytes.Contains(data, []byte("\r\n")) {
		return bytes.ReplaceAll(b.Bytes(), []byte("\n"), []byte("\r\n")), nil
	}
	return b.Bytes(), nil
}

// expand returns n with every alias replaced by what it stands for.
func expand(n *yaml.Node) *yaml.Node {
	from := resolve(n)
	c := *from
	if from != n {
		c.HeadComment, c.LineComment, c.FootComment = n.HeadComment, n.LineComment, n.FootComment
	}
	c.Anchor = ""
	c.Content = make([]*yaml.Node, len(from.Content))
	for i, child := range from.Content {
		c.Content[i] = expand(child)
	}
	return &c
}

// hasAnchors says whether some entry is written in terms of another, which could not be changed alone then.
func hasAnchors(data []byte) bool {
	maybe := false // In a text or comment it may be anything.
	for at := 0; !maybe; at++ {
		next := bytes.IndexByte(data[at:], '&')
		if next < 0 {
			return false
		}
		at += next
		maybe = at == 0 || bytes.IndexByte([]byte(" \t\n[{,:-"), data[at-1]) >= 0
	}
	var root yaml.Node
	return yaml.Unmarshal(data, &root) != nil || anyAnchor(&root)
}

func anyAnchor(n *yaml.Node) bool {
	return n.Anchor != "" || slices.ContainsFunc(n.Content, anyAnchor)
}
