package authz

import (
	"errors"
	"strings"
)

// normalizePath is the path without its query in the form in which sidecars match it: unreserved characters decoded,
// backslashes as slashes, dot segments resolved, repeated slashes merged. An ambiguous path is an error that names the
// ambiguous part.
func normalizePath(raw string) (string, error) {
	if strings.Contains(raw, "#") {
		return "", errors.New("a path without a fragment (#)")
	}
	path, _, _ := strings.Cut(raw, "?")
	lower := strings.ToLower(path)
	for _, encoded := range []string{"%2f", "%5c", "%00"} {
		if strings.Contains(lower, encoded) {
			return "", errors.New("a path without " + encoded + ": applications differ in what they take it for")
		}
	}
	path = resolveDotSegments(strings.ReplaceAll(decodeUnreserved(path), `\`, "/"))
	for strings.Contains(path, "//") {
		path = strings.ReplaceAll(path, "//", "/")
	}
	return path, nil
}

// decodeUnreserved decodes percent-encoded unreserved characters (RFC 3986, 2.3) and leaves all others encoded.
func decodeUnreserved(path string) string {
	var out strings.Builder
	for i := 0; i < len(path); i++ {
		if path[i] == '%' && i+2 < len(path) {
			high, low := strings.IndexByte(hexDigits, lowered(path[i+1])), strings.IndexByte(hexDigits, lowered(path[i+2]))
			if c := byte(high<<4 | low); high >= 0 && low >= 0 && unreserved(c) {
				out.WriteByte(c)
				i += 2
				continue
			}
		}
		out.WriteByte(path[i])
	}
	return out.String()
}

const hexDigits = "0123456789abcdef"

func lowered(c byte) byte {
	if c >= 'A' && c <= 'F' {
		return c - 'A' + 'a'
	}
	return c
}

func unreserved(c byte) bool {
	return c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9' || strings.IndexByte("-._~", c) >= 0
}

// resolveDotSegments resolves the segments "." and ".." (RFC 3986, 5.2.4). ".." may remove an empty segment.
func resolveDotSegments(path string) string {
	segments := strings.Split(strings.TrimPrefix(path, "/"), "/")
	kept := make([]string, 0, len(segments))
	for i, segment := range segments {
		switch segment {
		case ".", "..":
			if segment == ".." && len(kept) > 0 {
				kept = kept[:len(kept)-1]
			}
			if i == len(segments)-1 {
				kept = append(kept, "")
			}
		default:
			kept = append(kept, segment)
		}
	}
	return "/" + strings.Join(kept, "/")
}
