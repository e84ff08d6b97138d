package listeners

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/openservicemesh/osm-operator/internal/controlplane/peering"
	"github.com/openservicemesh/osm-operator/internal/controlplane/report/server"
	trafficmetrics "github.com/openservicemesh/osm-operator/internal/controlplane/trafficmetrics/server"
	"github.com/openservicemesh/osm-operator/internal/controlplane/xds"
	"github.com/openservicemesh/osm-operator/internal/operator/metricsserver"
	"github.com/openservicemesh/osm-operator/internal/platform/admissionserver"
	"github.com/openservicemesh/osm-operator/internal/platform/health"
	"github.com/openservicemesh/osm-operator/internal/platform/httplimit"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// Row is a port of a program.
type Row struct {
	Program string
	Port    int
	// Clients are those who may use it.
	Clients string
	// Connections is how many connections are permitted; Header, Idle and Body limit one of them. Header includes the handshake.
	Connections, Header, Idle, Body string
}

// unlimited describes programs of other projects.
const unlimited = "none"

// Servers returns the rows of programs other than Envoy.
func Servers() []Row {
	pending, peers := xds.PendingLimits(), peering.ServerLimits()
	rows := []Row{
		{
			"osm-controller", 15128, "sidecars: a token", fmt.Sprintf("%d, %d from an address, without a bound stream", pending.Total, pending.PerAddress),
			seconds(pending.Timeout), "until the token expires", "see [limits](limits.md#messages-of-sidecars)",
		},
		{
			"osm-controller", names.PeerDiscoveryPort, "control planes of peers: a certificate of their root",
			fmt.Sprintf("%d without a stream", peers.Pending.Total), seconds(peers.Pending.Timeout), fmt.Sprintf("%v hours at most", peers.Age.Hours()), fmt.Sprintf("%d KiB for a message", peers.RequestBytes>>10),
		},
		served("osm-controller", 9091, "anybody: health, metrics", health.Profile()),
		{"osm-controller", 9092, "the loopback interface", unlimited, "5 s", unlimited, unlimited},
		served("osm-controller", 9093, "anybody: reviews; API servers with `webhookClientCA`", admissionserver.Profile(1)),
		served("osm-controller", 9094, "a token for the report", server.Profile()),
		served("osm-injector", 9090, "anybody: reviews; API servers with `webhookClientCA`", admissionserver.Profile(1)),
		served("osm-injector", 9091, "anybody: health, metrics", health.Profile()),
		served("osm-operator", 8081, "anybody: health", health.Profile()),
		served("osm-operator", 8443, "a token that may get /metrics", metricsserver.Profile()),
		served("osm-traffic-metrics", 8443, "users, by the API server", trafficmetrics.Profile()),
	}
	for program, ports := range map[string][]int{"osm-grafana": {3000}, "jaeger": {4317, 4318, 13133, 16686, 9411}, "osm-prometheus": {7070}} {
		for _, port := range ports {
			rows = append(rows, Row{program, port, "anybody", unlimited, unlimited, unlimited, unlimited})
		}
	}
	return rows
}

// served is the row of a server with a profile.
func served(program string, port int, clients string, p httplimit.Profile) Row {
	body := "no body is read"
	if p.Body > 0 {
		body = fmt.Sprintf("%d MiB", p.Body>>20)
	}
	return Row{program, port, clients, fmt.Sprintf("%d, %d from an address", p.Connections, p.ConnectionsPerAddress), seconds(p.HeaderTimeout), seconds(p.IdleTimeout), body}
}

func seconds(d time.Duration) string {
	if d == 0 {
		return unlimited
	}
	return fmt.Sprintf("%v s", d.Seconds())
}

// Table writes rows in Markdown, sorted by program and port.
func Table(rows []Row) string {
	slices.SortFunc(rows, func(a, b Row) int { return strings.Compare(a.key(), b.key()) })
	var out strings.Builder
	out.WriteString("| Program | Port | Clients | Connections | Handshake and headers | Idle | Body |\n|---|---|---|---|---|---|---|\n")
	for _, r := range rows {
		fmt.Fprintf(&out, "| %s | %d | %s | %s | %s | %s | %s |\n", r.Program, r.Port, r.Clients, r.Connections, r.Header, r.Idle, r.Body)
	}
	return out.String()
}

func (r Row) key() string { return fmt.Sprintf("%s %05d", r.Program, r.Port) }
