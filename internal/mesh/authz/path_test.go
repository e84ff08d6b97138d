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
		got, err := NormalizePath(Request{Path: raw}, false)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s = %q, %v, want %q", raw, got, err, want)
		}
	}
}

func TestNormalizePathDecodesSlashes(t *testing.T) {
	for raw, want := range map[string]string{
		"/a/b?c=/d":            "/a/b",
		"/a%2Fb%5cc":           "/a/b/c",
		"/api/queues/%2f/jobs": "/api/queues/jobs",
		"/a?q=%2F":             "/a",
		"/%252F":               "/%252F",
		"/a%2F...":             "/a/...",
		"/a%2F.b":              "/a/.b",
		"/a%00":                "",
		"/a/..%2Fb":            "",
		"/a/%2e%2F":            "",
		"/a%2F..":              "",
		"/a%5C..;x/b":          "",
		"/a%2F%2E%2e/b":        "",
		"/b/x%2F..%2F..%2Fa/1": "",
		"/a%2F../b":            "",
		"/a%2F./b%2Fc":         "",
		"/a/../b%2Fc":          "/b/c",
		"/a%2Fb/../c":          "/c",
	} {
		got, err := NormalizePath(Request{Path: raw}, true)
		if got != want || (err != nil) != (want == "") {
			t.Errorf("%s = %q, %v, want %q", raw, got, err, want)
		}
	}
}

// TestDecodedPathHasNoHiddenSegments checks that no way of reading an accepted path has a segment of dots, whichever of its escaped slashes are decoded.
func TestDecodedPathHasNoHiddenSegments(t *testing.T) {
	piece := rapid.SampledFrom([]string{"/", "a", ".", "..", "%2e", "%2F", "%2f", "%5C", `\`, ";"})
	rapid.Check(t, func(t *rapid.T) {
		raw := "/" + strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), "")
		if _, err := normalizePath(raw, true); err != nil {
			return
		}
		sent := resolveDotSegments(strings.ReplaceAll(decodeUnreserved(raw), `\`, "/"))
		var reading strings.Builder
		for rest := sent; rest != ""; {
			if len(rest) > 2 && rest[0] == '%' && rapid.Bool().Draw(t, "decoded") {
				reading.WriteByte('/')
				rest = rest[3:]
				continue
			}
			reading.WriteByte(rest[0])
			rest = rest[1:]
		}
		for segment := range strings.SplitSeq(reading.String(), "/") {
			if segment == "." || segment == ".." {
				t.Fatalf("%s is accepted, and can be read as %s", raw, reading.String())
			}
		}
	})
}

// TestNormalizedPathHasNoDotSegments checks normalized paths for dot segments, repeated slashes and backslashes.
func TestNormalizedPathHasNoDotSegments(t *testing.T) {
	piece := rapid.SampledFrom([]string{"/", "a", ".", "..", "%2e", "%2E%2e", `\`, "//", "%61", "%25", ";", "%"})
	rapid.Check(t, func(t *rapid.T) {
		raw := "/" + strings.Join(rapid.SliceOfN(piece, 0, 12).Draw(t, "pieces"), "")
		path, err := normalizePath(raw, false)
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
