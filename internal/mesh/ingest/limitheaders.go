package ingest

import (
	"fmt"
	"slices"
	"strings"

	"golang.org/x/net/http/httpguts"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
)

// maxLimitHeaders is the maximum number of headers that a sidecar adds to the response to requests above a limit.
const maxLimitHeaders = 10

// reservedHeaders belong to the connection or to the message itself.
var reservedHeaders = []string{
	"connection", "content-length", "host", "keep-alive", "proxy-connection", "te", "trailer", "transfer-encoding", "upgrade",
}

// limitHeaders reads the response headers, in order, and skips those that cannot be added.
func limitHeaders(path string, items []policyv1alpha1.HTTPHeaderValue, found *problems) []catalog.Header {
	var all []catalog.Header
	if len(items) > maxLimitHeaders {
		found.reject(ReasonInvalidHeader, "%s has %d headers, and those after the first %d are left out: write fewer.", path, len(items), maxLimitHeaders)
		items = items[:maxLimitHeaders]
	}
	for i, item := range items {
		header := catalog.Header{Name: strings.ToLower(item.Name), Value: item.Value}
		if wrong := headerRejection(header); wrong != "" {
			found.reject(ReasonInvalidHeader, "%s %.80q is left out: %s.", indexed(path, i), header.Name, wrong)
			continue
		}
		all = append(all, header)
	}
	return all
}

// headerRejection describes why a header cannot be added to a response; empty when it can.
func headerRejection(header catalog.Header) string {
	switch {
	case strings.HasPrefix(header.Name, ":"):
		return "pseudo-headers belong to the answer itself, so write an ordinary header"
	case !httpguts.ValidHeaderFieldName(header.Name):
		return "it is not the name of a header"
	case slices.Contains(reservedHeaders, header.Name):
		return "it belongs to the connection or to the message itself, so write another header"
	case !httpguts.ValidHeaderFieldValue(header.Value):
		return fmt.Sprintf("its value %.40q has characters that headers cannot have", header.Value)
	case strings.Contains(strings.ReplaceAll(header.Value, "%%", ""), "%"):
		return fmt.Sprintf("its value %.40q has a single %% sign, which sidecars would read as a command: write %%%%", header.Value)
	}
	return ""
}
