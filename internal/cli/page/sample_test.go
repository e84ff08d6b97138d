package page_test

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/cli/page"
	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// tenth is a share, selectedID a request that it selects, and failedID one that is logged for its result only.
const (
	tenth      = tap.Share(100_000)
	selectedID = "00000001-c2fb-4039-afc5-8eb3492b5083"
	failedID   = "000f423f-c2fb-4039-afc5-8eb3492b5083"
	unknown    = "It is unknown whether all requests are logged, because the MeshConfig cannot be read"
)

// sampled is a chain whose access logs have a share of the requests; the share is unknown if it is nil.
func sampled(t *testing.T, share *tap.Share, lines ...string) page.Reader {
	t.Helper()
	r := chain(t)
	r.Settings = func(context.Context) (page.Settings, error) {
		if share == nil {
			return page.Settings{}, errors.New("forbidden")
		}
		return page.Settings{Logged: *share}, nil
	}
	r.Logs = logs(map[string][]string{"buyer-0": lines, "web-0": nil, "db-0": nil})
	r.Samples = &page.Sampler{Logs: r.Logs, Now: r.Now}
	r.Loads = func(context.Context) ([]report.Load, bool, error) {
		return []report.Load{{Client: "shop/buyer", Cluster: "shop/web|80", Rate: 2, LoadCounts: report.LoadCounts{Issued: 4, Succeeded: 4}}}, true, nil
	}
	return r
}

func shareOf(s tap.Share) *tap.Share { return &s }

// TestLatenciesAreThoseOfTheShare has fast requests, and slow ones that are logged although the share does not select them.
func TestLatenciesAreThoseOfTheShare(t *testing.T) {
	all := []string{line(0, selectedID, "shop/web|80", "", 3), line(1, failedID, "shop/web|80", "", 2000), line(2, failedID, "shop/web|80", "", 3000)}
	custom := append([]string{line(3, "order-1", "shop/web|80", "", 4000)}, all...)
	for name, test := range map[string]struct {
		share *tap.Share
		lines []string
		p50   string
		note  string
	}{
		"all":                 {shareOf(tap.AllRequests), custom, "3000", ""},
		"a tenth":             {shareOf(tenth), all, "3", "Latencies in access logs are those of 10% of the requests."},
		"own identifiers":     {shareOf(tenth), custom, "3", "Latencies in access logs are those of 10% of the requests. Requests whose x-request-id is no UUID do not count."},
		"none":                {shareOf(0), all, "none", "Access logs give no latencies, because only requests that fail or take a second or more are logged."},
		"unknown":             {nil, all, "2000", unknown + ": latencies may be too high."},
		"unknown, no traffic": {nil, nil, "none", ""},
	} {
		s := read(t, sampled(t, test.share, test.lines...))
		p50 := "none"
		for _, e := range s.Edges {
			if e.P50 != nil {
				p50 = fmt.Sprint(*e.P50)
			}
		}
		if p50 != test.p50 || s.Latencies != test.note {
			t.Errorf("%s: p50 %s with the note %q, want %s, %q", name, p50, s.Latencies, test.p50, test.note)
		}
	}
}

// TestListsSayWhatTheyHave has the notes of the requests of an edge and of a workload, and of traces. The page adds them to its own, so they are never null.
func TestListsSayWhatTheyHave(t *testing.T) {
	const always, partial = "Requests that fail or take a second or more are always logged, and 0.5% of the others.", "The trace may be incomplete: "
	results := partial + "of this request, only calls that fail or take a second or more are logged."
	for name, test := range map[string]struct {
		share                           *tap.Share
		requests, selected, failed, own string
	}{
		"all":     {share: shareOf(tap.AllRequests)},
		"some":    {shareOf(5_000), always, "", results, partial + "each sidecar decides by chance whether it logs this request, because its x-request-id is no UUID."},
		"none":    {shareOf(0), "Only requests that fail or take a second or more are logged.", results, results, results},
		"unknown": {nil, unknown + ".", unknown + ": the trace may be incomplete.", unknown + ": the trace may be incomplete.", unknown + ": the trace may be incomplete."},
	} {
		r := sampled(t, test.share, line(0, failedID, "shop/web|80", "", 2000))
		for what, list := range map[string]func() (*page.Requests, error){
			"edge: " + test.requests: func() (*page.Requests, error) {
				return r.Requests(t.Context(), "workload:shop/buyer", "service:shop/web")
			},
			"workload: " + test.requests: func() (*page.Requests, error) { return r.Requests(t.Context(), "workload:shop/buyer", "") },
			"selected: " + test.selected: func() (*page.Requests, error) { return r.Trace(t.Context(), selectedID) },
			"failed: " + test.failed:     func() (*page.Requests, error) { return r.Trace(t.Context(), failedID) },
			"own: " + test.own:           func() (*page.Requests, error) { return r.Trace(t.Context(), "order-1") },
		} {
			got, err := list()
			if err != nil {
				t.Fatal(err)
			}
			_, want, _ := strings.Cut(what, ": ")
			text, _ := json.Marshal(got.Notes)
			if note := strings.Join(got.Notes, " "); note != want || string(text) == "null" {
				t.Errorf("%s, %s: notes %s", name, what, text)
			}
		}
	}
}
