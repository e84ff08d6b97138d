package client

import (
	"errors"
	"testing"

	"github.com/google/go-cmp/cmp"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/testing/pki"
)

// TestLoads asks two replicas that serve sidecars of one identity, and one that cannot be reached.
func TestLoads(t *testing.T) {
	load := func(client string, issued uint64, seconds float64) report.Load {
		return report.Load{
			Client: client, Cluster: "a/web|80", LoadCounts: report.LoadCounts{Issued: issued, Succeeded: issued - 1, Failed: 1},
			Seconds: seconds, Rate: float64(issued) / seconds, Recent: []report.LoadInterval{{}},
		}
	}
	ours := pki.New(t)
	serving := func(loads ...report.Load) string {
		address, _ := serve(t, ours, map[string]any{report.LoadsPath: report.Loads{Sidecars: 2, Reporting: len(loads), Loads: loads}})
		return address
	}
	one, two := serving(load("a/till", 20, 10), load("a/buyer", 60, 60)), serving(load("a/till", 30, 5))
	answers, err := newClient(ours, "token", Replica{Name: "one", Address: one}, Replica{Name: "two", Address: two}).Loads(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	want := LoadSum{Sidecars: 4, Reporting: 3, Loads: []report.Load{
		{Client: "a/buyer", Cluster: "a/web|80", LoadCounts: report.LoadCounts{Issued: 60, Succeeded: 59, Failed: 1}, Seconds: 60, Rate: 1},
		{Client: "a/till", Cluster: "a/web|80", LoadCounts: report.LoadCounts{Issued: 50, Succeeded: 48, Failed: 2}, Seconds: 5, Rate: 8},
	}}
	got := TotalLoads(answers)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
	if got.Complete() {
		t.Error("complete though a sidecar has not reported")
	}
	got = TotalLoads([]Answer[report.Loads]{{Replica: "gone", Err: errors.New("not reached")}})
	if diff := cmp.Diff(LoadSum{Unknown: []string{"gone"}}, got); diff != "" || got.Complete() {
		t.Errorf("nobody is reached: complete %t, -want +got:\n%s", got.Complete(), diff)
	}
	if !TotalLoads([]Answer[report.Loads]{{Value: report.Loads{Sidecars: 1, Reporting: 1}}}).Complete() {
		t.Error("not complete though everybody has reported")
	}
}

func TestChanges(t *testing.T) {
	ours := pki.New(t)
	want := report.Changes{Changes: []report.Change{{Number: 7, Objects: []report.ChangedObject{{Kind: "Pod"}}, Seconds: map[string]float64{"push": 0.5}}}}
	address, _ := serve(t, ours, map[string]any{report.ChangesPath: want})
	answers, err := newClient(ours, "token", Replica{Name: "one", Address: address}).Changes(t.Context())
	if err != nil || answers[0].Err != nil {
		t.Fatal(err, answers)
	}
	if diff := cmp.Diff(want, answers[0].Value); diff != "" {
		t.Errorf("-want +got:\n%s", diff)
	}
}
