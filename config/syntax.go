package config

import (
	"bytes"
	"fmt"
	"regexp"
	"slices"
	"sort"
	"strconv"
	"strings"
	"unicode/utf8"

	"gopkg.in/yaml.v3"
)

// yamlLine finds the line in an error of the YAML parser, which has no other way to tell it.
var yamlLine = regexp.MustCompile(`^yaml: (?:line (\d+): )?`)

// structural has the errors for which the parser tells where the list or mapping around the fault begins, instead of
// where the fault is.
//
//nolint:gochecknoglobals // A table.
var structural = []string{
	"did not find expected key",
	"did not find expected node content",
	"did not find expected '-' indicator",
	"did not find expected ',' or ']'",
	"did not find expected ',' or '}'",
	"did not find expected <document start>",
}

// syntaxProblem makes a problem of the parser's error.
func syntaxProblem(file string, data []byte, err error) Problem {
	text, line := err.Error(), 1
	if m := yamlLine.FindStringSubmatch(text); m != nil {
		text = text[len(m[0]):]
		if n, err := strconv.Atoi(m[1]); err == nil {
			line = n
		}
	}
	if slices.Contains(structural, text) || strings.HasPrefix(text, "unknown anchor ") {
		line = faultLine(data, err)
	}
	return Problem{File: file, Line: line, Message: "not YAML: " + text}
}

// faultLine finds the first line with which the file fails as it does: fewer lines are right, or wrong otherwise.
func faultLine(data []byte, fault error) int {
	var ends []int // Of lines.
	for at := 0; at < len(data); {
		next := bytes.IndexByte(data[at:], '\n')
		if next < 0 {
			next = len(data) - at - 1
		}
		at += next + 1
		ends = append(ends, at)
	}
	i := sort.Search(len(ends)-1, func(i int) bool {
		err := yaml.Unmarshal(data[:ends[i]], new(yaml.Node))
		return err != nil && err.Error() == fault.Error()
	})
	return i + 1
}

// unreadable finds bytes that no YAML file may hold, for which the parser has no line.
func unreadable(data []byte) (line int, what string) {
	line = 1
	for i := 0; i < len(data); {
		r, size := utf8.DecodeRune(data[i:])
		switch {
		case r == utf8.RuneError && size <= 1:
			return line, fmt.Sprintf("not YAML: the byte 0x%02X is not UTF-8", data[i])
		case r == '\n':
			line++
		case r < ' ' && r != '\t' && r != '\r', r == 0x7F, r == 0xFFFE, r == 0xFFFF:
			return line, fmt.Sprintf("not YAML: control character %U", r)
		}
		i += size
	}
	return 0, ""
}
