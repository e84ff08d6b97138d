package paths

import (
	"strings"
	"testing"
)

func TestFindState(t *testing.T) {
	tests := map[string]struct {
		env  string
		want string
		ok   bool
	}{
		"default":  {"", "/var/lib/osm-local", true},
		"override": {"/srv/osm/", "/srv/osm", true},
		"relative": {"osm", "", false},
		"root":     {"/", "", false},
		"too long": {"/" + strings.Repeat("x", maxState), "", false},
	}
	for name, tt := range tests {
		t.Run(name, func(t *testing.T) {
			got, err := FindState(func(string) string { return tt.env })
			if (err == nil) != tt.ok || got.Dir != tt.want {
				t.Errorf("FindState(%q) = %q, %v", tt.env, got.Dir, err)
			}
		})
	}
}

func TestSocketsFitUnixLimit(t *testing.T) {
	s := State{Dir: "/" + strings.Repeat("x", maxState-1)}
	if n := len(s.ContainerdSocket() + ".ttrpc"); n > 107 {
		t.Errorf("the longest socket path has %d bytes, Unix allows 107", n)
	}
}

func TestFindNumber(t *testing.T) {
	for text, want := range map[string]int{"": 0, "0": 0, "9": 9, "10": -1, "-1": -1, "b": -1} {
		got, err := FindNumber(func(string) string { return text }, 9)
		if (err == nil) != (want >= 0) || (err == nil && got != want) {
			t.Errorf("FindNumber(%q) = %d, %v", text, got, err)
		}
	}
}
