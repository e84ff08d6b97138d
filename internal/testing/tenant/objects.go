package tenant

import (
	"fmt"
	"math/rand/v2"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/ingest"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/ingressbackend"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/upstream"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	"github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// objectBytes is about how large etcd lets an object be.
const objectBytes = 1_400_000

// tenant draws objects of one namespace, each as large as etcd and the schemas permit. What ingest does with them is what the mesh has.
type tenant struct {
	random  *rand.Rand
	entries []catalog.Entry
}

// Namespace is that of the objects.
const Namespace = "evil"

// Draw returns the entries of a mesh with the objects of a tenant. The namespace bank has none.
func Draw(seed uint64) []catalog.Entry {
	d := &tenant{random: rand.New(rand.NewPCG(seed, 0)), entries: []catalog.Entry{
		&catalog.Settings{Namespace: "osm-system", EgressPolicies: true, IngressBackends: true, RetryPolicies: true, ActiveHealthChecks: seed%2 == 0},
		&catalog.Namespace{Name: Namespace, Monitored: true}, &catalog.Namespace{Name: "bank", Monitored: true},
		&catalog.GatewayClass{Name: "osm"}, &inventory.Service{Name: meshtest.Name("osm-system", names.IngressGateway), Ports: []inventory.Port{{Number: 80, TargetPort: 10080}}},
		&catalog.Gateway{
			Name: meshtest.Name(Namespace, "web"), Class: "osm",
			Listeners: []catalog.GatewayListener{{Name: "l", Port: 80, Protocol: "HTTP", From: "Same", Terminate: true}},
		},
	}}
	ports := d.one(10, 100, 1000)
	services := d.one(4, 40)
	d.services(services, ports, d.one(1, 15, 60))
	d.groups(d.one(1, 2))
	d.splits(d.one(1, 12), d.one(1, 16, min(256, services)))
	d.target(d.one(0, 2000))
	d.telemetry()
	d.setting(0)
	d.ingress(ports)
	d.egresses(d.one(1, 4))
	d.httpRoutes(d.one(2, 8), ports)
	return d.entries
}

// one draws one of some values.
func (d *tenant) one(values ...int) int { return values[d.random.IntN(len(values))] }

// text returns a text of a length that begins with a number. It is also an expression.
func text(number, length int) string {
	prefix := fmt.Sprintf("x%05d", number)
	return prefix + strings.Repeat("a", max(0, length-len(prefix)))
}

// object returns an object of the namespace.
func object(name string, spec map[string]any) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{"metadata": map[string]any{"name": name, "namespace": Namespace}, "spec": spec}}
}

func add[E interface {
	comparable
	catalog.Entry
}](d *tenant, read func(*unstructured.Unstructured) (E, []ingest.Problem), u *unstructured.Unstructured) {
	entry, _ := read(u)
	var none E
	if entry != none {
		d.entries = append(d.entries, entry)
	}
}

// groups adds HTTPRouteGroups with many matches, headers or long texts.
func (d *tenant) groups(number int) {
	for g := range number {
		matches, headers := d.one(1, 256, 1024), d.one(0, 4, 16, 16, 1<<20)
		name, value := d.one(8, 128, 2000), d.one(8, 60)
		var list []any
		for i := range matches {
			match := map[string]any{"name": fmt.Sprint(i), "pathRegex": "/" + text(g*1024+i, d.one(6, 200)), "methods": []any{"GET", "PUT", "POST"}}
			var fields []any
			for k := range min(headers, objectBytes/matches/(name+value+16)) {
				fields = append(fields, map[string]any{text(k, name): text(i, value)})
			}
			match["headers"] = fields
			list = append(list, match)
		}
		add(d, ingest.HTTPRouteGroup, object(groupName(g), map[string]any{"matches": list}))
	}
}

func groupName(i int) string { return fmt.Sprint("group-", i) }

// services adds a number of Services with ports whose pods are those of one workload. The names are as long as possible.
func (d *tenant) services(number, ports, pods int) {
	var list []*inventory.Instance
	for i := range pods {
		pod := meshtest.Pod(Namespace, fmt.Sprint("server-", i), "server", "server", fmt.Sprintf("10.1.%d.%d", i>>8, i&255))
		list, d.entries = append(list, pod), append(d.entries, pod)
	}
	for i := range number {
		service := &corev1.Service{
			ObjectMeta: metav1.ObjectMeta{Name: serviceName(i), Namespace: Namespace},
			Spec:       corev1.ServiceSpec{ClusterIP: fmt.Sprintf("172.1.%d.%d", i>>8, i&255), Selector: map[string]string{"app": "server"}},
		}
		for port := range int32(ports) {
			service.Spec.Ports = append(service.Spec.Ports, corev1.ServicePort{Name: fmt.Sprint("http-", port), Port: 20_000 + port})
		}
		entry, _ := ingest.Service(service)
		d.entries = append(d.entries, entry, meshtest.Slice(entry.Name, list...))
	}
}

func serviceName(i int) string { return fmt.Sprintf("s%03d%s", i, strings.Repeat("x", 59)) }

// groupNames are the names of the HTTPRouteGroups in an object that may have 64.
func groupNames(kind string) []any {
	var list []any
	for i := range 64 {
		list = append(list, map[string]any{"apiGroup": "specs.smi-spec.io", "kind": kind, "name": groupName(i)})
	}
	return list
}

// splits adds TrafficSplits of the first Services to many others.
func (d *tenant) splits(number, backends int) {
	var list []any
	for i := range backends {
		list = append(list, map[string]any{"service": serviceName(i), "weight": int64(1 + i)})
	}
	for i := range number {
		spec := map[string]any{"service": serviceName(i % 3), "backends": list}
		if d.random.IntN(3) > 0 {
			spec["matches"] = groupNames("HTTPRouteGroup")
		}
		add(d, ingest.TrafficSplit, object(fmt.Sprint("split-", i), spec))
	}
}

// target adds a TrafficTarget for clients, of which one is in another namespace.
func (d *tenant) target(clients int) {
	account := func(namespace, name string) any {
		return map[string]any{"kind": "ServiceAccount", "namespace": namespace, "name": name}
	}
	sources := []any{account("bank", "client"), account(Namespace, "client")}
	for i := range clients {
		sources = append(sources, account(Namespace, text(i, 250)))
	}
	var rules []any
	for _, group := range groupNames("HTTPRouteGroup") {
		fields := group.(map[string]any)
		rules = append(rules, map[string]any{"kind": fields["kind"], "name": fields["name"]})
	}
	add(d, ingest.TrafficTarget, object("target", map[string]any{"destination": account(Namespace, "server"), "sources": sources, "rules": rules}))
}

// setting adds an UpstreamTrafficSetting of a Service, with limits of routes and health checks.
func (d *tenant) setting(i int) {
	routes := d.one(1, 64, 1024)
	entry := map[string]any{"genericKey": map[string]any{"key": text(0, 256), "value": text(1, 256)}}
	header := map[string]any{"headerValueMatch": map[string]any{"value": "x", "headers": []any{map[string]any{"name": "x", "prefix": text(0, 1000)}}}}
	var list []any
	for k := range routes {
		path := ".*"
		if k > 0 {
			path = "/" + text(k, 6)
		}
		var descriptors []any
		for range min(16, max(1, objectBytes/routes/16/1100)) {
			entries := []any{}
			for range 16 {
				entries = append(entries, []any{entry, header}[d.random.IntN(2)])
			}
			descriptors = append(descriptors, map[string]any{"entries": entries})
		}
		local := map[string]any{
			"requests": int64(1), "unit": "second",
			"responseHeadersToAdd": []any{map[string]any{"name": "x", "value": text(0, d.one(1, 4000))}},
		}
		list = append(list, map[string]any{"path": path, "rateLimit": map[string]any{"local": local, "global": map[string]any{"descriptors": descriptors}}})
	}
	server := map[string]any{"domain": "d", "rateLimitService": map[string]any{"host": "limits.example.com", "port": int64(8081)}}
	add(d, upstream.Read, object(fmt.Sprint("setting-", i), map[string]any{
		"host": serviceName(i) + ".Namespace.svc.cluster.local", "httpRoutes": list, "healthCheck": map[string]any{"interval": "1s"},
		"rateLimit": map[string]any{"global": map[string]any{"http": server}},
	}))
}

// telemetry adds a Telemetry of all pods of the namespace.
func (d *tenant) telemetry() {
	attributes := map[string]any{}
	for i := range 64 {
		attributes[text(i, 6)] = text(i, d.one(50, objectBytes/64))
	}
	add(d, telemetry.Read, object("telemetry", map[string]any{"accessLog": map[string]any{
		"format": text(0, 4096), "openTelemetry": map[string]any{"extensionService": map[string]any{"name": "otel"}, "attributes": attributes},
	}}))
	d.entries = append(d.entries, &catalog.ExtensionService{Name: meshtest.Name(Namespace, "otel"), Address: "otel.example.com", Port: 4317})
}

// ingress adds an IngressBackend of the ports of a Service.
func (d *tenant) ingress(ports int) {
	var backends, sources, hosts []any
	for i := range 64 {
		hosts = append(hosts, text(i, 63)+".example.com")
	}
	for i := range min(256, ports) {
		backends = append(backends, map[string]any{
			"name": serviceName(0), "port": map[string]any{"number": int64(20_000 + i), "protocol": "https"},
			"tls": map[string]any{"sniHosts": hosts},
		})
	}
	for i := range 256 {
		sources = append(sources, map[string]any{"kind": "AuthenticatedPrincipal", "name": text(i, 512)})
	}
	add(d, ingressbackend.Read, object("ingress", map[string]any{"backends": backends, "sources": sources, "matches": groupNames("HTTPRouteGroup")}))
}

// egresses adds Egresses of the client, some of them with the egress gateway.
func (d *tenant) egresses(number int) {
	for i := range number {
		var hosts, ports []any
		for k := range 256 {
			hosts = append(hosts, fmt.Sprintf("h%d.%s.example.com", k, strings.Repeat("x", 63)))
		}
		for k := range d.one(4, 16) {
			ports = append(ports, map[string]any{"number": int64(8000 + k), "protocol": []string{"http", "https"}[d.random.IntN(2)]})
		}
		client := map[string]any{"kind": "ServiceAccount", "namespace": Namespace, "name": "client"}
		spec := map[string]any{"sources": []any{client}, "hosts": hosts, "ports": ports, "matches": groupNames("HTTPRouteGroup")}
		if i%2 == 0 {
			spec["gateway"] = map[string]any{}
		}
		add(d, ingest.Egress, object(fmt.Sprint("egress-", i), spec))
	}
}

// httpRoutes adds HTTPRoutes of the ingress gateway with many headers, filters and backends.
func (d *tenant) httpRoutes(number, ports int) {
	for i := range number {
		var rules, hostnames, headers, matched []any
		for k := range d.one(1, 16) {
			hostnames = append(hostnames, fmt.Sprintf("h%d-%d.example.com", i, k))
		}
		for k := range d.one(1, 16) {
			headers = append(headers, map[string]any{"name": text(k, 256), "value": text(k, d.one(1, 4096))})
			matched = append(matched, map[string]any{"name": text(k, 256), "type": "RegularExpression", "value": text(k, d.one(1, 1000))})
		}
		for k := range 16 {
			var backends, matches []any
			for b := range d.one(1, 16) {
				backends = append(backends, map[string]any{"name": serviceName(b), "port": int64(20_000 + d.random.IntN(ports)), "weight": int64(1)})
			}
			for p := range 8 {
				matches = append(matches, map[string]any{
					"path":    map[string]any{"type": "Exact", "value": "/" + text(k*8+p, 1000)},
					"headers": matched, "queryParams": matched,
				})
			}
			edits := map[string]any{"set": headers}
			rules = append(rules, map[string]any{"matches": matches, "backendRefs": backends, "filters": []any{
				map[string]any{"type": "RequestHeaderModifier", "requestHeaderModifier": edits},
				map[string]any{"type": "ResponseHeaderModifier", "responseHeaderModifier": edits},
			}})
		}
		add(d, ingest.HTTPRoute, object(fmt.Sprint("route-", i), map[string]any{
			"parentRefs": []any{map[string]any{"name": "web"}},
			"hostnames":  hostnames, "rules": rules,
		}))
	}
}
