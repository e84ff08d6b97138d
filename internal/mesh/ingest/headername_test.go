package ingest

import "testing"

// TestHeaderNames checks what policies may do with a header, whatever the case of its name.
func TestHeaderNames(t *testing.T) {
	const message, ours, pseudo, invalid = "it belongs to the connection or to the message itself", "sidecars and gateways write it, and obey it", "it is a pseudo-header", "it is not the name of a header"
	for name, want := range map[string]struct{ matched, counted, copied, changed string }{
		"x-api-version":           {},
		"x-request-id":            {},
		"Content-Type":            {},
		"Content-Length":          {copied: message, changed: message},
		"transfer-encoding":       {copied: message, changed: message},
		"Connection":              {copied: message, changed: message},
		"te":                      {copied: message, changed: message},
		"trailer":                 {copied: message, changed: message},
		"upgrade":                 {copied: message, changed: message},
		"keep-alive":              {copied: message, changed: message},
		"proxy-connection":        {copied: message, changed: message},
		"proxy-authenticate":      {copied: message, changed: message},
		"expect":                  {copied: message, changed: message},
		"HTTP2-Settings":          {copied: message, changed: message},
		"Host":                    {copied: message, changed: message},
		"X-Envoy-Max-Retries":     {copied: ours, changed: ours},
		"X-Forwarded-Client-Cert": {changed: ours},
		"X-Osm-Destination":       {copied: ours, changed: ours},
		":Path":                   {matched: pseudo, copied: pseudo, changed: pseudo},
		":status":                 {pseudo, pseudo, pseudo, pseudo},
		"":                        {invalid, invalid, invalid, invalid},
		":":                       {invalid, invalid, invalid, invalid},
		"a b":                     {invalid, invalid, invalid, invalid},
		"a\r\nb":                  {invalid, invalid, invalid, invalid},
	} {
		for use, want := range map[HeaderUse]string{HeaderMatched: want.matched, HeaderCounted: want.counted, HeaderCopied: want.copied, HeaderChanged: want.changed} {
			if got := HeaderNameProblem(use, name); got != want {
				t.Errorf("%q %s: %q, want %q", name, use, got, want)
			}
		}
	}
}
