package config

import (
	"fmt"
	"strconv"
	"strings"

	"gopkg.in/yaml.v3"
)

// Bounds of the section calls. A record takes some 400 bytes of memory, so a million of them is what a large machine
// has to spare.
const (
	maxKeep     = 1_000_000
	minFileSize = 64 << 10 // Below it, beginning new files would be most of the work.
	maxFileSize = 1 << 40
	maxFiles    = 1000
)

func (d *decoder) calls(c *Calls) map[string]field {
	return map[string]field{
		"keep":      d.integer(&c.Keep, 0, maxKeep),
		"file":      d.text(&c.File, filePath),
		"max_size":  d.sizeOrZero(&c.MaxSize, minFileSize, maxFileSize),
		"max_files": d.integer(&c.MaxFiles, 1, maxFiles),
	}
}

// sizeOrZero reads a size such as 512KiB, 100MiB or 2GiB from low to high, or 0, meaning that something is off.
func (d *decoder) sizeOrZero(dst *int64, low, high int64) field {
	return func(path string, n *yaml.Node) {
		v, ok := parseSize(n.Value)
		switch {
		case n.Kind != yaml.ScalarNode || !ok:
			hint := ""
			if n.Kind == yaml.ScalarNode && n.Tag == "!!int" && !strings.HasPrefix(n.Value, "-") {
				hint = "; the unit is missing"
			}
			d.add(n, path, "%s where a size such as 512KiB, 100MiB or 2GiB must stand%s", describe(n), hint)
		case v != 0 && (v < low || v > high):
			d.add(n, path, "%s is not from %s to %s, or 0", shorten(n.Value), plainSize(low), plainSize(high))
		default:
			*dst = v
		}
	}
}

// sizeUnits are what a size may be given in, the largest first. Only the binary ones, so that nobody has to guess.
func sizeUnits() []struct {
	name  string
	bytes int64
} {
	return []struct {
		name  string
		bytes int64
	}{{"TiB", 1 << 40}, {"GiB", 1 << 30}, {"MiB", 1 << 20}, {"KiB", 1 << 10}}
}

// parseSize reads a whole number with a unit, or 0.
func parseSize(s string) (int64, bool) {
	if s == "0" {
		return 0, true
	}
	for _, u := range sizeUnits() {
		digits, ok := strings.CutSuffix(s, u.name)
		if !ok {
			continue
		}
		n, err := strconv.ParseInt(strings.TrimRight(digits, " "), 10, 64)
		if err != nil || n < 0 || n > maxFileSize/u.bytes*1024 {
			return 0, false
		}
		return n * u.bytes, true
	}
	return 0, false
}

// plainSize prints a size in the largest unit that it is a whole number of.
func plainSize(v int64) string {
	for _, u := range sizeUnits() {
		if v%u.bytes == 0 {
			return fmt.Sprintf("%d%s", v/u.bytes, u.name)
		}
	}
	return strconv.FormatInt(v, 10)
}
