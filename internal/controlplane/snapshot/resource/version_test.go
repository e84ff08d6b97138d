package resource

import (
	"testing"

	"pgregory.net/rapid"
)

// Versions are compared in place of contents. Each half counts, so that nobody finds two contents of equal version.
func TestVersionsHave128Bits(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		data := rapid.SliceOf(rapid.Byte()).Draw(t, "data")
		v := hash(data)
		for _, other := range []Version{{v.high ^ 1, v.low}, {v.high, v.low ^ 1}} {
			if other == v || other.String() == v.String() {
				t.Fatalf("%v equals %v", other, v)
			}
			if CombineVersions(v, v) == CombineVersions(v, other) || CombineVersions(v, v) == CombineVersions(other, v) {
				t.Fatalf("a combination does not depend on each bit of %v", v)
			}
		}
		if parsed, ok := ParseVersion(v.String()); !ok || parsed != v {
			t.Fatalf("%s is read as %v, %t", v, parsed, ok)
		}
	})
}

// Versions of other lengths and reserved ones are unknown.
func TestParseVersion_RejectsOthers(t *testing.T) {
	for _, text := range []string{"", "1f", "0123456789abcdef", "not-hexadecimal-but-of-32-letters", Reserved(3).String(), Version{1, 2}.String() + "00"} {
		if v, ok := ParseVersion(text); ok {
			t.Errorf("%q is read as %s", text, v)
		}
	}
}
