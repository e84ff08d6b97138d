package cli

import (
	"bytes"
	"context"
	"io"
	"net/http"
	"time"
)

// Limits of the request that looks for web pages.
const (
	pagesTimeout  = 5 * time.Second
	maxPagesBytes = 64 << 10
)

// placeholders are texts of the first page of servers that were compiled without their web assets: Prometheus and Jaeger.
var placeholders = []string{"Error opening React index.html", "This is not the Jaeger UI"}

// hasPages reports whether the server at url has web pages. A server that does not answer counts as one that has: the browser then shows why.
func hasPages(ctx context.Context, url string) bool {
	ctx, cancel := context.WithTimeout(ctx, pagesTimeout)
	defer cancel()
	request, err := http.NewRequestWithContext(ctx, http.MethodGet, url, nil)
	if err != nil {
		return true
	}
	response, err := http.DefaultClient.Do(request)
	if err != nil {
		return true
	}
	defer response.Body.Close()
	body, err := io.ReadAll(io.LimitReader(response.Body, maxPagesBytes))
	if err != nil {
		return true
	}
	for _, text := range placeholders {
		if bytes.Contains(body, []byte(text)) {
			return false
		}
	}
	return true
}
