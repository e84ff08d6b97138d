package authz

import (
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func TestNormalizePath(t *testing.T) {
	for raw, want := range map[string]string{
		"/":               "/",
		"/a/b?c=/d":       "/a/b",
		"//a///b":         "/a/b",
		"/a/./b/.":        "/a/b/",
		"/a/../b":         "/b",
		"/a/./../b":       "/b",
		"/a/b/..":         "/a/",
		"/../../a":        "/a",
		"/a//../b":        "/a/b",
		"/%2e%2E/%61%7e":  "/a~",
		`/a\b\..\c`:       "/a/c",
		"/a%20b/%C3%A9":   "/a%20b/%C3%A9",
		"/a%":             "/a%",
		"/a%2":            "/a%2",
		"/a%zz":           "/a%zz",
		"/A/..;x":         "/A/..;x",
		"/a%2F":           "",
		"/a%5cb":          "",
		"/a%00":           "",
		"/a#b":            "",
		"/a?q=%2F":        "/a",
		"/%252e%252e/a":   "/%252e%252e/a",
		"/a/...":          "/a/...",
		"/a/.b/..c/d../e": "/a/.b/..c/d../e",
	} {
		got, err := NormalizePath(Request{Path: raw})
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s = %q, %v, want %q", raw, got, err, want)
		}
	}
}

// TestNormalizedPathHasNoDotSegments checks normalized paths for dot segments, repeated slashes and backslashes.
func TestNormalizedPathHasNoDotSegments(t *testing.T) {
	piece := rapid.SampledFrom([]string{"/", "a", ".", "..", "%2e", "%2E%2e", `\`, "//", "%61", "%25", ";", "%"})
	rapid.Check(t, func(t *rapid.T) {
		raw := "/" + strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), "")
		path, err := normalizePath(raw)
		if err != nil {
			// The pieces form an encoding that is rejected.
			return
		}
		for segment := range strings.SplitSeq(strings.TrimPrefix(path, "/"), "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%s = %s, which has a segment of dots", raw, path)
			}
		}
		if !strings.HasPrefix(path, "/") || strings.Contains(path, "//") || strings.Contains(path, `\`) {
			t.Fatalf("%s = %s", raw, path)
		}
	})
}
