package health

import (
	"fmt"
	"testing"

	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

func TestEnoughSidecarsReport(t *testing.T) {
	of := func(namespace string, sidecars, reporting, starting int) report.LoadClient {
		return report.LoadClient{Client: namespace + "/app", Sidecars: sidecars, Reporting: reporting, Starting: starting}
	}
	large := func(clients ...report.LoadClient) []report.LoadClient {
		for i := range 10 {
			clients = append(clients, of(fmt.Sprintf("n%d", i), 900, 900, 0))
		}
		return clients
	}
	for name, c := range map[string]struct {
		clients []report.LoadClient
		want    bool
	}{
		"no sidecars":                               {nil, true},
		"all":                                       {[]report.LoadClient{of("a", 3, 3, 0)}, true},
		"none yet":                                  {[]report.LoadClient{of("a", 3, 0, 0)}, false},
		"all have just connected":                   {[]report.LoadClient{of("a", 3, 0, 3)}, false},
		"one of three has just connected":           {[]report.LoadClient{of("a", 3, 2, 1)}, true},
		"one of three is silent":                    {[]report.LoadClient{of("a", 3, 2, 0)}, false},
		"some of 10,000 reconnect":                  {large(of("a", 1000, 950, 50)), true},
		"the sidecars of a dead node are silent":    {large(of("a", 1000, 900, 0)), true},
		"a tenth is silent, in two namespaces":      {large(of("a", 500, 0, 0), of("b", 500, 0, 0)), false},
		"a namespace keeps a tenth silent":          {large(of("a", 1000, 0, 0)), true},
		"a namespace of four is silent":             {[]report.LoadClient{of("a", 5, 0, 0), of("b", 5, 5, 0), of("c", 5, 5, 0), of("d", 5, 5, 0)}, true},
		"a namespace of three is silent":            {[]report.LoadClient{of("a", 5, 0, 0), of("b", 5, 5, 0), of("c", 5, 5, 0)}, false},
		"half of the sidecars of each are silent":   {[]report.LoadClient{of("a", 4, 2, 0), of("b", 4, 2, 0), of("c", 4, 2, 0), of("d", 4, 2, 0)}, false},
		"more than half have just connected":        {[]report.LoadClient{of("a", 10, 2, 8)}, false},
		"a restarted workload has just connected":   {[]report.LoadClient{of("a", 10, 6, 4)}, true},
		"a pod that reconnects again and again":     {[]report.LoadClient{of("a", 10, 9, 1)}, true},
		"most are silent, the rest just connected":  {[]report.LoadClient{of("a", 10, 1, 5)}, false},
		"silent ones of one namespace of a hundred": {append(large(), of("z", 9000, 8000, 0)), true},
	} {
		t.Run(name, func(t *testing.T) {
			loads := report.Loads{Clients: c.clients}
			for _, client := range c.clients {
				loads.Sidecars, loads.Reporting = loads.Sidecars+client.Sidecars, loads.Reporting+client.Reporting
			}
			if got := flows(answers(loads)) != nil; got != c.want {
				t.Errorf("enough report: %t", got)
			}
		})
	}
}

// TestAveragesAreNoFlows has a client whose requests before the reader came are known, and one whose present is known.
func TestAveragesAreNoFlows(t *testing.T) {
	load := func(client string, average bool) report.Load {
		return report.Load{Client: client, Cluster: "a/web|80", Average: average, LoadCounts: report.LoadCounts{Issued: 9, Succeeded: 5, Failed: 4}}
	}
	got := flows(answers(report.Loads{Loads: []report.Load{load("a/old", true), load("a/new", false)}}))
	if len(got) != 1 || got[0].Client != "a/new" {
		t.Errorf("flows %+v, want that of a/new", got)
	}
}

// Replicas of the version before do not count by client.
func TestReplicasWithoutClientsAreCountedAsAWhole(t *testing.T) {
	for reporting, want := range map[int]bool{94: false, 95: true} {
		if got := flows(answers(report.Loads{Sidecars: 100, Reporting: reporting})) != nil; got != want {
			t.Errorf("%d of 100 are enough: %t", reporting, got)
		}
	}
}
