package stat

import (
	"strings"
	"testing"
	"time"
)

// Connections that the sidecars of clients closed count for the Service, and never for a workload: nobody knows which pod would have had them.
func TestDenialsAtClientsCountForServices(t *testing.T) {
	for group, want := range map[Group]bool{Services: true, Workloads: false, Routes: false} {
		found := false
		for _, m := range group.measures() {
			query := m.promQL(Query{Group: group, Window: time.Minute})
			found = found || strings.Contains(query, deniedAtClients) && strings.Contains(query, `side="client"`)
		}
		if found != want {
			t.Errorf("%s count denials at clients: %v, want %v", group, found, want)
		}
	}
}
