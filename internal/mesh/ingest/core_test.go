package ingest

import (
	"net/netip"
	"testing"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/yaml"

	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// read decodes a Kubernetes object named x in the namespace shop from YAML.
func read[T any](t *testing.T, text string) *T {
	t.Helper()
	object := new(T)
	if err := yaml.UnmarshalStrict([]byte("metadata: {name: x, namespace: shop, uid: u}\n"+text), object); err != nil {
		t.Fatal(err)
	}
	return object
}

func TestNamespaceMembership(t *testing.T) {
	for name, c := range map[string]struct {
		labels map[string]string
		want   bool
	}{
		"of this mesh":  {map[string]string{names.MonitoredByLabel: "osm"}, true},
		"of another":    {map[string]string{names.MonitoredByLabel: "osm2"}, false},
		"of none":       {nil, false},
		"to be ignored": {map[string]string{names.MonitoredByLabel: "osm", names.IgnoreLabel: "true"}, false},
	} {
		got, problems := Namespace(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", Labels: c.labels}}, "osm")
		if got.Name != "shop" || got.Monitored != c.want || got.Permissive != nil || len(problems) > 0 {
			t.Errorf("%s: %+v %v", name, got, problems)
		}
	}
}

func TestNamespacePermissiveOverride(t *testing.T) {
	for value, c := range map[string]struct {
		want     *bool
		problems []string
	}{
		"enabled": {ptr.To(true), nil}, "yes": {ptr.To(true), nil}, "True": {ptr.To(true), nil},
		"disabled": {ptr.To(false), nil}, "no": {ptr.To(false), nil}, "false": {ptr.To(false), nil},
		"":       {nil, []string{`InvalidAnnotation: permissive-traffic-policy of this namespace is ""`}},
		"enable": {nil, []string{`InvalidAnnotation: is "enable" and has no effect: write enabled or disabled`}},
	} {
		got, problems := Namespace(&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Annotations: map[string]string{names.PermissiveAnnotation: value}}}, "osm")
		expect(t, c.want, got.Permissive, c.problems, problems)
	}
}

func TestServiceAccountKeepsItsUID(t *testing.T) {
	if got := ServiceAccount(read[corev1.ServiceAccount](t, "")); got.Name != x || got.UID != "u" {
		t.Errorf("the account is %+v, want the name %s and the UID u", got, x)
	}
}

const injectedPod = `
spec:
  serviceAccountName: bookstore
  initContainers:
  - {name: migrate, ports: [{name: http, containerPort: 99}, {name: setup, containerPort: 98}]}
  - {name: envoy, image: e, restartPolicy: Always, ports: [{name: proxy-metrics, containerPort: 15010}]}
  containers:
  - {name: app, image: a, ports: [{name: http, containerPort: 8080}, {containerPort: 1}, {name: dns, containerPort: 53, protocol: UDP}]}
  - {name: more, image: b, env: [{name: SECRET, value: s}]}
  - {name: last, ports: [{name: http, containerPort: 7}]}
status: {phase: Running, podIP: 10.0.0.1, podIPs: [{ip: 10.0.0.1}, {ip: 'fd00::1'}]}
`

func TestPod(t *testing.T) {
	pod := read[corev1.Pod](t, injectedPod)
	pod.Labels = map[string]string{"app": "bookstore", names.RevisionLabel: "osm-v1"}
	pod.Annotations = map[string]string{names.ScrapeAnnotation: "true", "other": "x"}
	pod.OwnerReferences = []metav1.OwnerReference{{Kind: "Group", Name: "g"}, {Kind: "StatefulSet", Name: "bookstore", UID: "o", Controller: new(true)}}
	want := &inventory.Instance{
		Name: x, ID: "u", ServiceAccount: "bookstore", IPs: []netip.Addr{netip.MustParseAddr("10.0.0.1"), netip.MustParseAddr("fd00::1")},
		Labels: pod.Labels, Ports: map[string]uint16{"http": 8080, "setup": 98}, Injected: true, Revision: "osm-v1", Metrics: true,
		Workload: inventory.Workload{Kind: "StatefulSet", Name: "bookstore"},
	}
	expect(t, want, Pod(pod), nil, nil)
	stripped := StripPod(pod)
	expect(t, want, Pod(stripped), nil, nil)
	if len(stripped.Spec.Containers) != 2 || stripped.Spec.Containers[0].Image != "" || len(stripped.Annotations) != 1 {
		t.Errorf("unused fields were not stripped: %+v", stripped)
	}
	if len(pod.Spec.Containers) != 3 {
		t.Error("stripping changed its argument")
	}
}

func TestPodStates(t *testing.T) {
	for name, c := range map[string]struct {
		yaml   string
		expect func(*inventory.Instance) bool
	}{
		"default account":           {"", func(p *inventory.Instance) bool { return p.ServiceAccount == "default" }},
		"succeeded":                 {"status: {phase: Succeeded}", func(p *inventory.Instance) bool { return p.Finished }},
		"failed":                    {"status: {phase: Failed}", func(p *inventory.Instance) bool { return p.Finished }},
		"without a sidecar":         {"spec: {containers: [{name: app}]}", func(p *inventory.Instance) bool { return !p.Injected && !p.Finished }},
		"envoy of the application":  {"spec: {containers: [{name: envoy}]}", func(p *inventory.Instance) bool { return !p.Injected && !p.OSMSidecar }},
		"threat 31, host's network": {"spec: {hostNetwork: true, containers: []}\nstatus: {podIPs: [{ip: 10.0.0.1}]}", func(p *inventory.Instance) bool { return p.IPs == nil }},
	} {
		pod := read[corev1.Pod](t, c.yaml)
		if !c.expect(Pod(pod)) || !c.expect(Pod(StripPod(pod))) {
			t.Errorf("%s: %+v, stripped %+v", name, Pod(pod), Pod(StripPod(pod)))
		}
	}
}

func TestDeletedPodTerminates(t *testing.T) {
	pod := read[corev1.Pod](t, "status: {phase: Running}")
	if Pod(pod).Terminating {
		t.Error("a pod that was not deleted terminates")
	}
	pod.DeletionTimestamp = &metav1.Time{}
	if !Pod(pod).Terminating || !Pod(StripPod(pod)).Terminating {
		t.Error("a deleted pod does not terminate, or its copy in the cache does not")
	}
}

func TestPodWithOSMSidecar(t *testing.T) {
	for containers, want := range map[string]bool{"[{name: app}, {name: envoy}]": true, "[{name: app}]": false} {
		pod := read[corev1.Pod](t, "spec: {containers: "+containers+"}")
		pod.Labels = map[string]string{names.ProxyUUIDLabel: "1"}
		for _, p := range []*inventory.Instance{Pod(pod), Pod(StripPod(pod))} {
			if p.Injected || p.OSMSidecar != want {
				t.Errorf("containers %s: injected %t, earlier %t, want %t", containers, p.Injected, p.OSMSidecar, want)
			}
		}
	}
}

func TestProtocolOfServicePorts(t *testing.T) {
	for _, c := range []struct {
		name, appProtocol string
		want              inventory.Protocol
	}{
		{"", "", "http"},
		{"web", "", "http"},
		{"http", "", "http"},
		{"http-web", "", "http"},
		{"grpc", "", "grpc"},
		{"grpc-api", "", "grpc"},
		{"tcp", "", "tcp"},
		{"tcp-mysql", "", "tcp"},
		{"tcp-server-first", "", "tcp-server-first"},
		{"tcp-server-first-mysql", "", "tcp-server-first"},
		{"tcpdump", "", "http"},
		{"grpcweb", "", "http"},
		{"tcp-x", "http", "http"},
		{"http", "tcp", "tcp"},
		{"x", "tcp-server-first", "tcp-server-first"},
		{"x", "grpc", "grpc"},
		{"tcp", "kubernetes.io/h2c", "http"},
		{"tcp", "kubernetes.io/ws", "http"},
		{"tcp", "http2", "http"},
		{"tcp", "h2c", "http"},
		{"x", "HTTP", "http"},
		{"http2", "", "http"},
		{"http2-web", "", "http"},
		{"h2c", "", "http"},
		{"h2c-web", "", "http"},
		{"https", "", "tcp"},
		{"https-web", "", "tcp"},
		{"tls", "", "tcp"},
		{"tls-web", "", "tcp"},
		{"httpsweb", "", "http"},
		{"mysql", "", "tcp-server-first"},
		{"redis", "", "tcp"},
		{"mongo-express", "", "http"},
		{"redis-exporter", "", "http"},
		{"tcp", "ws", "http"},
		{"tcp", "grpc-web", "http"},
		{"http", "https", "tcp"},
		{"http", "HTTPS", "tcp"},
		{"http", "tls", "tcp"},
		{"http", "wss", "tcp"},
		{"http", "kubernetes.io/wss", "tcp"},
		{"http", "mysql", "tcp-server-first"},
		{"http", "smtp", "tcp-server-first"},
		{"http", "redis", "tcp"},
		{"http", "mongodb", "tcp"},
		{"http", "postgresql", "tcp"},
		{"http", "kafka", "tcp"},
		{"http", "amqp", "tcp"},
		{"http", "kubernetes.io/unknown", ""},
		{"http", "example.com/own", ""},
		{"http", "quic", ""},
	} {
		service := &corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: "10.1.0.1", Ports: []corev1.ServicePort{{Name: c.name, Port: 80}}}}
		if c.appProtocol != "" {
			service.Spec.Ports[0].AppProtocol = &c.appProtocol
		}
		entry, problems := Service(service)
		switch {
		case c.want == "" && (len(entry.Ports) != 0 || len(problems) != 1 || problems[0].Reason != ReasonUnknownProtocol):
			t.Errorf("appProtocol %q: ports %+v, problems %+v, want the port left out with a problem", c.appProtocol, entry.Ports, problems)
		case c.want != "" && (len(entry.Ports) != 1 || entry.Ports[0].Protocol != c.want || len(problems) != 0):
			t.Errorf("name %q, appProtocol %q: %+v %+v, want %s", c.name, c.appProtocol, entry.Ports, problems, c.want)
		}
	}
}

// TestPortsWithHTTP2 checks by which names applications have HTTP/2 without TLS.
func TestPortsWithHTTP2(t *testing.T) {
	for port, want := range map[[2]string]bool{
		{"grpc", ""}: true, {"grpc-api", ""}: true, {"h2c", ""}: true, {"http2-web", ""}: true, {"x", "grpc"}: true, {"x", "kubernetes.io/h2c"}: true,
		{"x", "H2C"}: true, {"http", "http2"}: true, {"", ""}: false, {"http", ""}: false, {"grpcweb", ""}: false, {"grpc", "http"}: false,
		{"x", "grpc-web"}: false, {"x", "kubernetes.io/ws"}: false, {"h2c", "tcp"}: false,
	} {
		service := &corev1.Service{Spec: corev1.ServiceSpec{ClusterIP: "10.1.0.1", Ports: []corev1.ServicePort{{Name: port[0], Port: 80}}}}
		if port[1] != "" {
			service.Spec.Ports[0].AppProtocol = &port[1]
		}
		if entry, _ := Service(service); entry.Ports[0].HTTP2 != want {
			t.Errorf("name %q, appProtocol %q: %+v, want HTTP2 %v", port[0], port[1], entry.Ports, want)
		}
	}
}

func TestService(t *testing.T) {
	entry, problems := Service(read[corev1.Service](t, `
spec:
  clusterIP: 10.1.0.1
  clusterIPs: ['fd00::1', 10.1.0.1]
  selector: {app: x}
  ports:
  - {name: tcp-db, port: 3306, targetPort: db}
  - {port: 80, targetPort: 8080}
  - {name: same, port: 90}
  - {name: dns, port: 53, protocol: UDP}
`))
	expect(t, &inventory.Service{
		Name: x, Selector: map[string]string{"app": "x"},
		ClusterIPs: []netip.Addr{netip.MustParseAddr("10.1.0.1"), netip.MustParseAddr("fd00::1")},
		Ports: []inventory.Port{
			{Number: 80, TargetPort: 8080, Protocol: "http", Assumed: true},
			{Name: "same", Number: 90, TargetPort: 90, Protocol: "http", Assumed: true},
			{Name: "tcp-db", Number: 3306, TargetName: "db", Protocol: "tcp"},
		},
	}, entry, []string{"?NotCaptured: Port 53 has the protocol UDP"}, problems)

	if headless, _ := Service(read[corev1.Service](t, "spec: {clusterIP: None, clusterIPs: [None], ports: [{port: 80}]}")); !headless.Headless() {
		t.Errorf("%+v is not headless", headless)
	}
	if alias, problems := Service(read[corev1.Service](t, "spec: {type: ExternalName, externalName: example.com, ports: [{port: 80}]}")); alias != nil || problems != nil {
		t.Errorf("threat 42, an alias has an entry: %+v %+v", alias, problems)
	}
}

func TestEndpointSlice(t *testing.T) {
	slice := read[discoveryv1.EndpointSlice](t, `
addressType: IPv4
ports: [{name: http, port: 8080}, {port: 9}, {name: dns, port: 53, protocol: UDP}, {name: any}]
endpoints:
- {addresses: [10.0.0.4], conditions: {ready: false, serving: false, terminating: true}, targetRef: {kind: Pod, name: d, namespace: shop}}
- {addresses: [10.0.0.3], conditions: {ready: false, serving: true, terminating: true}, targetRef: {kind: Pod, name: c, namespace: shop}}
- {addresses: [10.0.0.2], conditions: {ready: false}, targetRef: {kind: Pod, name: b, namespace: shop}}
- {addresses: [10.0.0.1], targetRef: {kind: Pod, name: a}}
`)
	if entry, _ := EndpointSlice(slice); entry != nil {
		t.Error("a slice of no Service has an entry")
	}
	slice.Labels = map[string]string{discoveryv1.LabelServiceName: "books"}
	entry, problems := EndpointSlice(slice)
	endpoint := func(ip, pod string, ready, terminating bool) inventory.Endpoint {
		return inventory.Endpoint{Address: netip.MustParseAddr(ip), Pod: entity.Name{Namespace: "shop", Name: pod}, Ready: ready, Terminating: terminating}
	}
	expect(t, &inventory.EndpointSlice{
		Name: x, Service: entity.Name{Namespace: "shop", Name: "books"}, Ports: map[string]uint16{"http": 8080, "": 9},
		Endpoints: []inventory.Endpoint{
			endpoint("10.0.0.1", "a", true, false), endpoint("10.0.0.2", "b", false, false),
			endpoint("10.0.0.3", "c", false, true), endpoint("10.0.0.4", "d", false, false),
		},
	}, entry, nil, problems)
}

// TestThreat41Endpoints covers manual slices that try to redirect a sidecar.
func TestThreat41Endpoints(t *testing.T) {
	pod := &corev1.ObjectReference{Kind: "Pod", Name: "a", Namespace: "shop"}
	for address, c := range map[string]struct {
		ref  *corev1.ObjectReference
		want string
	}{
		"127.0.0.1":              {pod, "127.0.0.1 (loopback)"},
		"::1":                    {pod, "::1 (loopback)"},
		"::ffff:127.0.0.1":       {pod, "(loopback)"},
		"169.254.169.254":        {pod, "169.254.169.254 (link-local)"},
		"::ffff:169.254.169.254": {pod, "(link-local)"},
		"fe80::1":                {pod, "fe80::1 (link-local)"},
		"fd00::1%eth0":           {pod, "(with a zone)"},
		"0.0.0.0":                {pod, "0.0.0.0 (unspecified)"},
		"::":                     {pod, ":: (unspecified)"},
		"224.0.0.1":              {pod, "(multicast or broadcast)"},
		"ff02::1":                {pod, "(multicast or broadcast)"},
		"255.255.255.255":        {pod, "(multicast or broadcast)"},
		"metadata.internal":      {pod, "(not an IP address)"},
		"10.0.0.2":               {&corev1.ObjectReference{Kind: "Pod", Name: "a", Namespace: "bank"}, "addresses whose targetRef is not a pod of its namespace"},
		"10.0.0.3":               {&corev1.ObjectReference{Kind: "Node", Name: "a"}, "addresses whose targetRef is not a pod of its namespace"},
	} {
		slice := &discoveryv1.EndpointSlice{Endpoints: []discoveryv1.Endpoint{{Addresses: []string{address}, TargetRef: c.ref}}}
		slice.Labels = map[string]string{discoveryv1.LabelServiceName: "books"}
		entry, problems := EndpointSlice(slice)
		expect(t, 0, len(entry.Endpoints), []string{"RejectedAddress: " + c.want}, problems)
	}
}

// A port without a protocol counts as HTTP, and the usual port of a database is then a mistake.
func TestUsualPortsOfOtherProtocolsCauseWarnings(t *testing.T) {
	for _, c := range []struct {
		name, appProtocol string
		number            int32
		warns             bool
	}{
		{"", "", 3306, true},
		{"db", "", 5432, true},
		{"web", "", 443, true},
		{"mysql", "", 3306, false},
		{"tcp-db", "", 5432, false},
		{"http", "", 6379, false},
		{"", "http", 3306, false},
		{"", "", 8080, false},
	} {
		port := corev1.ServicePort{Name: c.name, Port: c.number}
		if c.appProtocol != "" {
			port.AppProtocol = &c.appProtocol
		}
		_, problems := Service(&corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{port}}})
		if warns := len(problems) == 1 && problems[0].Warning && problems[0].Reason == ReasonUnknownProtocol; warns != c.warns {
			t.Errorf("name %q, appProtocol %q, port %d: problems %v, want a warning: %t", c.name, c.appProtocol, c.number, problems, c.warns)
		}
	}
}

// TestUsualTargetPortsCauseWarnings has Services whose own port is another one. Port 80 is that of HTTP, whatever the application uses.
func TestUsualTargetPortsCauseWarnings(t *testing.T) {
	for _, c := range []struct {
		name           string
		number, target int32
		warns          bool
	}{
		{"cache", 16000, 6379, true},
		{"", 5000, 5432, true},
		{"tcp-cache", 16000, 6379, false},
		{"redis", 16000, 6379, false},
		{"http-cache", 16000, 6379, false},
		{"", 80, 6379, false},
		{"", 8080, 8081, false},
	} {
		port := corev1.ServicePort{Name: c.name, Port: c.number, TargetPort: intstr.FromInt32(c.target)}
		_, problems := Service(&corev1.Service{Spec: corev1.ServiceSpec{Ports: []corev1.ServicePort{port}}})
		if warns := len(problems) == 1 && problems[0].Warning && problems[0].Reason == ReasonUnknownProtocol; warns != c.warns {
			t.Errorf("name %q, port %d, targetPort %d: problems %v, want a warning: %t", c.name, c.number, c.target, problems, c.warns)
		}
	}
}
