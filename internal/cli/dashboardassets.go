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

// hasPages reports whether the program at url has web pages. One that does not answer counts as having them: the browser then shows why.
func (p dashboardPage) hasPages(ctx context.Context, url string) bool {
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
	return p.placeholder == "" || !bytes.Contains(body, []byte(p.placeholder))
}
