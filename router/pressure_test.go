package router

import (
	"testing"
	"time"
)

// TestPressure plays backlogs, one each millisecond, and looks at what the worker makes of them.
func TestPressure(t *testing.T) {
	type stretch struct {
		millis  int
		percent int
		level   pressLevel // At its end.
		share   int        // Likewise.
		taken   int        // Within their share, each time.
	}
	for name, script := range map[string][]stretch{
		"idle":                             {{100, 0, pressNone, 1, 9}},
		"a burst":                          {{5, 30, pressNone, 1, 0}, {100, 0, pressNone, 1, 0}},
		"a pause of the process":           {{9, 100, pressNone, 1, 0}, {3, 35, pressNone, 1, 0}, {50, 0, pressNone, 1, 0}},
		"busy, but not behind":             {{5000, 39, pressNone, 1, 0}},
		"behind":                           {{12, 45, pressShed, 0, 0}, {1, 59, pressShed, 0, 0}, {1, 30, pressShed, 1, 0}, {1, 20, pressNone, 1, 0}},
		"shares too large":                 {{12, 60, pressShed, -1, 4}, {1, 59, pressShed, 0, 9}},
		"a flood takes the time":           {{500, 84, pressShed, 0, 3}, {1, 100, pressDrop, 0, 3}},
		"far behind":                       {{12, 85, pressDrop, -1, 4}, {1, 84, pressShed, -1, 9}, {1, 0, pressNone, 1, 9}},
		"falling":                          {{12, 80, pressShed, -1, 4}, {1, 78, pressShed, 0, 4}, {18, 77, pressShed, 0, 4}, {1, 77, pressShed, -1, 4}, {1, 77, pressShed, -1, 4}},
		"again within a second":            {{12, 45, pressShed, 0, 0}, {900, 0, pressNone, 1, 0}, {1, 45, pressShed, 0, 0}},
		"again after a second":             {{12, 45, pressShed, 0, 0}, {1100, 0, pressNone, 1, 0}, {9, 45, pressNone, 1, 0}, {3, 45, pressShed, 0, 0}},
		"a backlog that empties in pauses": {{9, 50, pressNone, 1, 0}, {1, 0, pressNone, 1, 0}, {9, 50, pressNone, 1, 0}},
	} {
		t.Run(name, func(t *testing.T) {
			var p pressure
			now := int64(time.Hour)
			for i, s := range script {
				share := 0
				for range s.millis {
					now += int64(time.Millisecond)
					p.taken = s.taken
					if share = p.update(now, s.percent); share < 0 {
						p.eased(now, s.percent)
					}
				}
				if p.level != s.level || share != s.share {
					t.Errorf("after stretch %d: level %d and share %d, want %d and %d", i, p.level, share, s.level, s.share)
				}
			}
		})
	}
}
