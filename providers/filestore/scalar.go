package filestore

import (
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// scalar writes a string so that YAML reads the same string: as it is where nothing could be taken for anything
// else, otherwise in double quotes, in which Go's escapes are YAML's.
func scalar(s string) string { return scalarOf(s, " ,:@+/") }

// flowScalar writes a string to stand inside of brackets or braces, where fewer characters are plain.
func flowScalar(s string) string { return scalarOf(s, "/") }

func scalarOf(s, alsoPlain string) string {
	if isPlain(s, alsoPlain) {
		return s
	}
	return strconv.Quote(s)
}

func isPlain(s, also string) bool {
	if s == "" || strings.HasSuffix(s, " ") || strings.Contains(s, ": ") || strings.HasSuffix(s, ":") {
		return false
	}
	for i, c := range []byte(s) {
		letter := c|0x20 >= 'a' && c|0x20 <= 'z' || c >= '0' && c <= '9' || c == '_' || c == '/'
		if !letter && (i == 0 || c != '.' && c != '-' && strings.IndexByte(also, c) < 0) {
			return false
		}
	}
	// Words that other readers of YAML take for true and false.
	switch strings.ToLower(s) {
	case "y", "n", "yes", "no", "on", "off":
		return false
	}
	return (&yaml.Node{Kind: yaml.ScalarNode, Value: s}).ShortTag() == "!!str"
}
