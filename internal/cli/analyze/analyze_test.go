package analyze_test

import (
	"crypto/ecdsa"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"math/big"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"sigs.k8s.io/controller-runtime/pkg/client"
	"sigs.k8s.io/controller-runtime/pkg/client/fake"

	"github.com/openservicemesh/osm-operator/internal/certificate"
	"github.com/openservicemesh/osm-operator/internal/cli/analyze"
	"github.com/openservicemesh/osm-operator/internal/cli/kube"
	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/gateway"
	"github.com/openservicemesh/osm-operator/internal/mesh/load"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

var now = time.Date(2026, 11, 20, 0, 0, 0, 0, time.UTC)

func scheme(t *testing.T) *runtime.Scheme {
	t.Helper()
	s, err := kube.Scheme()
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func decode(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := manifests.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// mesh is a mesh of a cluster that has just these objects.
func mesh(t *testing.T, objects []*unstructured.Unstructured) analyze.Mesh {
	t.Helper()
	loaded, err := load.FromObjects("osm", scheme(t), objects)
	if err != nil {
		t.Fatal(err)
	}
	return analyze.Mesh{Name: "osm", Namespace: "osm-system", Loaded: loaded, Objects: objects, Meshes: []string{"osm", "other"}, Revision: "osm-v0-2-0", Now: now}
}

// shop is a mesh in which nothing is suspicious.
const shop = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {openservicemesh.io/monitored-by: osm}, annotations: {openservicemesh.io/sidecar-injection: enabled}}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: web, namespace: shop}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: till, namespace: shop}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.0.0.1, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-0, namespace: shop, labels: {app: web, operator.openservicemesh.io/revision: osm-v0-2-0}}, spec: {serviceAccountName: web, initContainers: [{name: envoy, restartPolicy: Always}]}, status: {podIPs: [{ip: 10.1.0.1}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-1, namespace: shop, labels: {kubernetes.io/service-name: web}}, addressType: IPv4, ports: [{name: "", port: 8080}], endpoints: [{addresses: [10.1.0.1], conditions: {ready: true}, targetRef: {kind: Pod, name: web-0, namespace: shop}}]}
---
{apiVersion: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, metadata: {name: paths, namespace: shop}, spec: {matches: [{name: all, pathRegex: "/.*", methods: ["*"]}]}}
---
{apiVersion: access.smi-spec.io/v1alpha3, kind: TrafficTarget, metadata: {name: in, namespace: shop}, spec: {destination: {kind: ServiceAccount, name: web, namespace: shop}, sources: [{kind: ServiceAccount, name: till, namespace: shop}], rules: [{kind: HTTPRouteGroup, name: paths}]}}
---
`

// codeOfNotUsed is the code of objects without effect.
var codeOfNotUsed = analyze.CodeOf("NotUsed")

// byHand is a Service without a selector, whose EndpointSlice has an address.
func byHand(address string) string {
	return `{apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop}, spec: {clusterIP: 10.0.0.9, ports: [{name: http, port: 80}]}}` + "\n---\n" +
		`{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: s, namespace: shop, labels: {kubernetes.io/service-name: s}}, addressType: IPv4, ` +
		`ports: [{name: http, port: 8080}], endpoints: [{addresses: [` + address + `]}]}`
}

func target(name, fields string) string {
	spec := map[string]string{
		"destination": "{kind: ServiceAccount, name: web, namespace: shop}",
		"sources":     "[{kind: ServiceAccount, name: till, namespace: shop}]",
		"rules":       "[{kind: HTTPRouteGroup, name: paths}]",
	}
	field, value, _ := strings.Cut(fields, "=")
	spec[field] = value
	return "{apiVersion: access.smi-spec.io/v1alpha3, kind: TrafficTarget, metadata: {name: " + name + ", namespace: shop}, spec: {destination: " +
		spec["destination"] + ", sources: " + spec["sources"] + ", rules: " + spec["rules"] + "}}"
}

const (
	peerSource   = "sources=[{kind: PeerServiceAccount, name: east/till, namespace: shop}]"
	exportToEast = `{apiVersion: multicluster.x-k8s.io/v1alpha1, kind: ServiceExport, metadata: {name: web, namespace: shop, labels: {openservicemesh.io/peer: east}}}`
)

// eastPeer returns the MeshPeer east.
func eastPeer() string {
	root, err := certificate.NewRoot(certificate.KeySpec{}, time.Now())
	if err != nil {
		panic(err)
	}
	return fmt.Sprintf(`{apiVersion: operator.openservicemesh.io/v1alpha1, kind: MeshPeer, metadata: {name: east}, spec: {mesh: osm, trustDomain: east.example, trust: {caBundle: %q}, gateways: [{address: 192.0.2.1}]}}`, root.CertPEM())
}

// gatewayAccounts are in the namespace of the control plane, which is not part of the mesh.
const gatewayAccounts = `
{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: osm-system}, spec: {certificate: {serviceCertValidityDuration: 24h, certKeyBitSize: 2048}}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: osm-system}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: osm-ingress-gateway, namespace: osm-system}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: osm-egress-gateway, namespace: osm-system}}
---
{apiVersion: v1, kind: ServiceAccount, metadata: {name: osm-controller, namespace: osm-system}}
---
`

const tcpService = `{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {clusterIP: 10.0.0.1, selector: {app: web}, ports: [{port: 80, targetPort: 8080, appProtocol: tcp}]}}`

const (
	permissiveMesh = `{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: osm-system}, spec: {certificate: {serviceCertValidityDuration: 24h, certKeyBitSize: 2048}, traffic: {enablePermissiveTrafficPolicyMode: true}}}`
	sidecarClass   = `{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: osm-system}, spec: {certificate: {serviceCertValidityDuration: 24h, certKeyBitSize: 2048}, sidecar: {classes: [{name: small}]}}}` + "\n---\n"
	egressEnabled  = `{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: osm-system}, spec: {certificate: {serviceCertValidityDuration: 24h, certKeyBitSize: 2048}, featureFlags: {enableEgressPolicy: true}}}`
	outsideEgress  = `{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Egress, metadata: {name: a, namespace: shop}, spec: {sources: [{kind: ServiceAccount, namespace: shop, name: till}], hosts: [a.example.com], ports: [{number: 80, protocol: http}]}}`
)

// encryption returns a BackendTLSPolicy of an Egress with a condition in its status. Other validation replaces the ConfigMap.
func encryption(name, created, egress, condition, validation string) string {
	if validation == "" {
		validation = `caCertificateRefs: [{group: "", kind: ConfigMap, name: ca}]`
	}
	return fmt.Sprintf(`{apiVersion: gateway.networking.k8s.io/v1, kind: BackendTLSPolicy, metadata: {name: %s, namespace: shop, creationTimestamp: "%s"}, spec: {targetRefs: [{group: policy.openservicemesh.io, kind: Egress, name: %s}], `+
		`validation: {hostname: a.example.com, %s}}, status: {ancestors: [{controllerName: gateway.openservicemesh.io/osm, ancestorRef: {name: %s}, conditions: [%s]}]}}`, name, created, egress, validation, egress, condition)
}

// manyServices returns a number of Services of one workload, and a TrafficTarget for a client of another namespace.
func manyServices(number int) string {
	text := `{apiVersion: v1, kind: Namespace, metadata: {name: bank, labels: {openservicemesh.io/monitored-by: osm}, annotations: {openservicemesh.io/sidecar-injection: enabled}}}` +
		"\n---\n{apiVersion: v1, kind: ServiceAccount, metadata: {name: till, namespace: bank}}\n---\n" + target("many", "sources=[{kind: ServiceAccount, name: till, namespace: bank}]")
	for i := range number {
		text += fmt.Sprintf("\n---\n{apiVersion: v1, kind: Service, metadata: {name: s%d, namespace: shop}, spec: {clusterIP: 10.0.%d.%d, selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}}", i, 1+i/250, i%250)
	}
	return text
}

// manyEncryptions returns a number of BackendTLSPolicies for Egresses of their own, each with a ConfigMap.
func manyEncryptions(number int) string {
	text := ""
	for i := range number {
		text += "\n---\n" + strings.Replace(outsideEgress, "name: a,", fmt.Sprintf("name: e%02d,", i), 1)
		policy := encryption(fmt.Sprintf("p%02d", i), "2026-01-01T00:00:00Z", fmt.Sprintf("e%02d", i), "{}", "")
		text += "\n---\n" + strings.Replace(policy, "name: ca}", fmt.Sprintf("name: ca%02d}", i), 1)
	}
	return text
}

// policy returns a NetworkPolicy for all pods of the shop.
func policy(name, spec string) string {
	return "{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: " + name + ", namespace: shop}, spec: {podSelector: {}, " + spec + "}}\n---\n"
}

const (
	toControlPlane = `egress: [{ports: [{port: 15128}], to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: osm-system}}, podSelector: {matchLabels: {app: osm-controller}}}]}]`
	toDNS          = `egress: [{ports: [{port: 53, protocol: UDP}], to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]}]`
	// dnsPods is DNS as OpenShift has it: in a namespace of its own, and on another port.
	dnsPods = `{apiVersion: v1, kind: Service, metadata: {name: dns, namespace: dns}, spec: {clusterIP: 10.0.9.1, clusterIPs: [10.0.9.1], selector: {app: dns}, ports: [{name: dns, port: 53, protocol: UDP, targetPort: dns}]}}` + "\n---\n" +
		`{apiVersion: v1, kind: Pod, metadata: {name: dns, namespace: dns, labels: {app: dns}}, spec: {containers: [{name: dns, ports: [{name: dns, containerPort: 5353, protocol: UDP}]}]}, status: {podIPs: [{ip: 10.1.9.1}]}}` + "\n---\n"
	controllerPods = `{apiVersion: v1, kind: Namespace, metadata: {name: osm-system, labels: {team: mesh}}}` + "\n---\n" +
		`{apiVersion: v1, kind: Pod, metadata: {name: c, namespace: osm-system, labels: {app: osm-controller}}, status: {podIPs: [{ip: 10.1.9.2}]}}` + "\n---\n"
	gatewayPod = `{apiVersion: v1, kind: Pod, metadata: {name: g, namespace: osm-system, labels: {app: osm-egress-gateway}}}` + "\n---\n"
)

// findings analyzes the shop with more objects, and returns the codes of the findings.
var findings = map[string]struct {
	objects string
	// want are "<code> <object>".
	want []string
}{
	"nothing":                  {``, nil},
	"another mesh's namespace": {`{apiVersion: v1, kind: Namespace, metadata: {name: theirs, labels: {openservicemesh.io/monitored-by: other}}}` + "\n---\n" + `{apiVersion: split.smi-spec.io/v1alpha4, kind: TrafficSplit, metadata: {name: s, namespace: theirs}, spec: {service: none}}`, nil},
	"not a regular expression": {`{apiVersion: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, metadata: {name: paths, namespace: shop}, spec: {matches: [{name: all, pathRegex: "("}]}}`, []string{"OSM0105 HTTPRouteGroup shop/paths"}},
	"no destination":           {target("t", "destination={kind: ServiceAccount, name: none, namespace: shop}"), []string{"OSM0201 TrafficTarget shop/t"}},
	"not behind a Service":     {target("t", "destination={kind: ServiceAccount, name: till, namespace: shop}"), []string{"OSM0202 TrafficTarget shop/t"}},
	"no source":                {target("t", "sources=[{kind: ServiceAccount, name: none, namespace: shop}]"), []string{"OSM0203 TrafficTarget shop/t"}},
	"no peer":                  {target("t", peerSource), []string{"OSM0239 TrafficTarget shop/t"}},
	"not exported":             {eastPeer() + "\n---\n" + target("t", peerSource), []string{"OSM0240 TrafficTarget shop/t"}},
	"exported":                 {eastPeer() + "\n---\n" + exportToEast + "\n---\n" + target("t", peerSource), nil},
	"a source outside":         {`{apiVersion: v1, kind: ServiceAccount, metadata: {name: far, namespace: out}}` + "\n---\n" + target("t", "sources=[{kind: ServiceAccount, name: far, namespace: out}]"), []string{"OSM0204 TrafficTarget shop/t"}},
	"the gateways": {
		gatewayAccounts + target("t", "sources=[{kind: ServiceAccount, name: osm-ingress-gateway, namespace: osm-system}, {kind: ServiceAccount, name: osm-egress-gateway, namespace: osm-system}]"), nil,
	},
	"the control plane":                    {gatewayAccounts + target("t", "sources=[{kind: ServiceAccount, name: osm-controller, namespace: osm-system}]"), []string{"OSM0204 TrafficTarget shop/t"}},
	"no route":                             {target("t", "rules=[{kind: HTTPRouteGroup, name: none}]"), []string{"OSM0205 TrafficTarget shop/t"}},
	"no match":                             {target("t", "rules=[{kind: HTTPRouteGroup, name: paths, matches: [none]}]"), []string{"OSM0206 TrafficTarget shop/t"}},
	"unused routes":                        {`{apiVersion: specs.smi-spec.io/v1alpha4, kind: TCPRoute, metadata: {name: r, namespace: shop}, spec: {}}`, []string{"OSM0207 TCPRoute shop/r"}},
	"a split of nothing":                   {`{apiVersion: split.smi-spec.io/v1alpha4, kind: TrafficSplit, metadata: {name: s, namespace: shop}, spec: {service: none, backends: [{service: web, weight: 1}]}}`, []string{"OSM0208 TrafficSplit shop/s"}},
	"a split into nothing":                 {`{apiVersion: split.smi-spec.io/v1alpha4, kind: TrafficSplit, metadata: {name: s, namespace: shop}, spec: {service: web, backends: [{service: none, weight: 1}]}}`, []string{"OSM0209 TrafficSplit shop/s", "OSM0238 TrafficSplit shop/s"}},
	"a backend without a port":             {`{apiVersion: v1, kind: Service, metadata: {name: v2, namespace: shop}, spec: {clusterIP: 10.0.0.2, selector: {app: web}, ports: [{port: 81, targetPort: 8080}]}}` + "\n---\n" + `{apiVersion: split.smi-spec.io/v1alpha4, kind: TrafficSplit, metadata: {name: s, namespace: shop}, spec: {service: web, backends: [{service: v2, weight: 1}]}}`, []string{"OSM0210 TrafficSplit shop/s", "OSM0222 TrafficSplit shop/s", "OSM0238 TrafficSplit shop/s"}},
	"more Services than a client receives": {manyServices(authz.MaxCrossNamespacePorts + 1), []string{"OSM0237 TrafficTarget shop/many"}},
	"a path of no group": {
		`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: UpstreamTrafficSetting, metadata: {name: u, namespace: shop}, spec: {host: web.shop.svc.cluster.local, httpRoutes: [{path: "/a(", rateLimit: {local: {requests: 1, unit: second}}}, {path: "/.*", rateLimit: {local: {requests: 1, unit: second}}}]}}`,
		[]string{"OSM0221 UpstreamTrafficSetting shop/u"},
	},
	"a setting elsewhere": {`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: UpstreamTrafficSetting, metadata: {name: u, namespace: shop}, spec: {host: web.bank.svc.cluster.local}}`, []string{codeOfNotUsed + " UpstreamTrafficSetting shop/u"}},
	"a setting of a host outside": {
		`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: UpstreamTrafficSetting, metadata: {name: u, namespace: shop}, spec: {host: api.example.com}}` + "\n---\n" +
			`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Egress, metadata: {name: e, namespace: shop}, spec: {sources: [{kind: ServiceAccount, namespace: shop, name: till}], hosts: [api.example.com], ports: [{number: 80, protocol: http}], matches: [{kind: UpstreamTrafficSetting, name: u}]}}`,
		[]string{"OSM0408 Egress shop/e"},
	},
	"an injection annotation that is misspelt": {
		`{apiVersion: v1, kind: Namespace, metadata: {name: typo, labels: {openservicemesh.io/monitored-by: osm}, annotations: {openservicemesh.io/sidecar-injection: enable}}}`,
		[]string{"OSM0606 Namespace typo"},
	},
	"no injection annotation": {
		`{apiVersion: v1, kind: Namespace, metadata: {name: plain, labels: {openservicemesh.io/monitored-by: osm}}}` + "\n---\n" + `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: plain}, spec: {}}`,
		[]string{"OSM0502 Pod plain/p", "OSM0607 Namespace plain"},
	},
	"no injection annotation, without pods": {`{apiVersion: v1, kind: Namespace, metadata: {name: plain, labels: {openservicemesh.io/monitored-by: osm}}}`, nil},
	"Gateway API": {
		`{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: ours, namespace: shop}, spec: {gatewayClassName: osm}, status: {listeners: [{name: a, conditions: [{type: Programmed, status: "False", reason: Invalid, message: The port is not available.}, {type: Conflicted, status: "False", reason: NoConflicts, message: none.}]}]}}` + "\n---\n" +
			`{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: typo, namespace: shop}, spec: {gatewayClassName: osmm}}` + "\n---\n" +
			`{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: theirs, namespace: other}, spec: {gatewayClassName: osmm}}` + "\n---\n" +
			`{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r, namespace: shop}, spec: {}, status: {parents: [{controllerName: x/y, parentRef: {name: ours}, conditions: [{type: ResolvedRefs, status: "False", reason: BackendNotFound, message: The Service does not exist.}]}, {controllerName: x/y, parentRef: {name: typo}, conditions: [{type: Accepted, status: "False", reason: Other, message: Not ours.}]}]}}`,
		[]string{"OSM0223 Gateway shop/ours", "OSM0224 Gateway shop/typo", "OSM0223 HTTPRoute shop/r"},
	},
	"a setting for nothing":  {`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: UpstreamTrafficSetting, metadata: {name: u, namespace: shop}, spec: {host: none.shop.svc.cluster.local}}`, []string{"OSM0211 UpstreamTrafficSetting shop/u"}},
	"a port that nobody has": {`{apiVersion: specs.smi-spec.io/v1alpha4, kind: TCPRoute, metadata: {name: r, namespace: shop}, spec: {matches: {ports: [1]}}}` + "\n---\n" + target("t", "rules=[{kind: TCPRoute, name: r}]"), []string{"OSM0213 TrafficTarget shop/t"}},
	"HTTP rules for TCP":     {tcpService, []string{"OSM0214 TrafficTarget shop/in"}},
	"two splits":             {`{apiVersion: split.smi-spec.io/v1alpha4, kind: TrafficSplit, metadata: {name: a, namespace: shop}, spec: {service: web, backends: [{service: web, weight: 1}]}}` + "\n---\n" + `{apiVersion: split.smi-spec.io/v1alpha4, kind: TrafficSplit, metadata: {name: b, namespace: shop}, spec: {service: web, backends: [{service: web, weight: 1}]}}`, []string{"OSM0301 TrafficSplit shop/b"}},
	"retries": {
		`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Retry, metadata: {name: a, namespace: shop}, spec: {source: {kind: ServiceAccount, name: till, namespace: shop}, destinations: [{kind: Service, name: web, namespace: shop}, {kind: Service, name: none, namespace: shop}], retryPolicy: {retryOn: 5xx, numRetries: 1}}}` + "\n---\n" +
			`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Retry, metadata: {name: b, namespace: shop}, spec: {source: {kind: ServiceAccount, name: till, namespace: shop}, destinations: [{kind: Service, name: web, namespace: shop}], retryPolicy: {retryOn: 5xx, numRetries: 2}}}`,
		[]string{"OSM0212 Retry shop/a", "OSM0401 Retry shop/a", "OSM0302 Retry shop/b", "OSM0401 Retry shop/b"},
	},
	"settings that conflict": {
		`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Backpressure, metadata: {name: a, namespace: shop, labels: {app: web}}, spec: {maxRequests: 1}}` + "\n---\n" +
			`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: UpstreamTrafficSetting, metadata: {name: z, namespace: shop}, spec: {host: web.shop.svc.cluster.local}}`,
		[]string{"OSM0303 Backpressure shop/a", "OSM0404 Backpressure shop/a"},
	},
	"ingress": {
		`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: IngressBackend, metadata: {name: a, namespace: shop}, spec: {backends: [{name: web, port: {number: 8080, protocol: http}}], sources: [{kind: Service, namespace: shop, name: none}]}}` + "\n---\n" +
			`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: IngressBackend, metadata: {name: b, namespace: shop}, spec: {backends: [{name: web, port: {number: 8080, protocol: http}}], sources: [{kind: Service, namespace: shop, name: web}]}}` + "\n---\n" +
			`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: IngressBackend, metadata: {name: c, namespace: shop}, spec: {backends: [{name: none, port: {number: 8080, protocol: http}}], sources: [{kind: Service, namespace: shop, name: web}]}}` + "\n---\n" +
			`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: IngressBackend, metadata: {name: d, namespace: shop}, spec: {backends: [{name: web, port: {number: 80, protocol: http}}], sources: [{kind: Service, namespace: shop, name: web}]}}`,
		[]string{
			"OSM0216 IngressBackend shop/a", "OSM0407 IngressBackend shop/a", "OSM0304 IngressBackend shop/b", "OSM0407 IngressBackend shop/b",
			"OSM0215 IngressBackend shop/c", "OSM0407 IngressBackend shop/c", "OSM0215 IngressBackend shop/d", "OSM0407 IngressBackend shop/d",
		},
	},
	"egress": {
		`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Egress, metadata: {name: a, namespace: shop, creationTimestamp: "2026-01-01T00:00:00Z"}, spec: {sources: [{kind: ServiceAccount, namespace: shop, name: till}], hosts: [a.example.com], ports: [{number: 80, protocol: http}], matches: [{kind: HTTPRouteGroup, name: none}, {kind: UpstreamTrafficSetting, name: none}]}}` + "\n---\n" +
			`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Egress, metadata: {name: b, namespace: shop, creationTimestamp: "2026-01-02T00:00:00Z"}, spec: {sources: [{kind: ServiceAccount, namespace: shop, name: till}, {kind: ServiceAccount, namespace: shop, name: none}], ports: [{number: 80, protocol: tcp-server-first}]}}`,
		[]string{"OSM0205 Egress shop/a", "OSM0217 Egress shop/a", "OSM0408 Egress shop/a", "OSM0203 Egress shop/b", "OSM0305 Egress shop/b", "OSM0408 Egress shop/b"},
	},
	"external authorization": {
		`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: ExternalAuthorization, metadata: {name: a, namespace: shop, creationTimestamp: "2026-01-01T00:00:00Z"}, spec: {extensionService: {name: none}}}` + "\n---\n" +
			`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: ExternalAuthorization, metadata: {name: b, namespace: shop, creationTimestamp: "2026-01-02T00:00:00Z"}, spec: {extensionService: {name: none}, failureModeAllow: true}}`,
		[]string{"OSM0218 ExternalAuthorization shop/a", "OSM0218 ExternalAuthorization shop/b", "OSM0307 ExternalAuthorization shop/b"},
	},
	"telemetry": {
		`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Telemetry, metadata: {name: a, namespace: shop, creationTimestamp: "2026-01-01T00:00:00Z"}, spec: {accessLog: {openTelemetry: {extensionService: {name: none}}}}}` + "\n---\n" +
			`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Telemetry, metadata: {name: b, namespace: shop, creationTimestamp: "2026-01-02T00:00:00Z"}, spec: {accessLog: {filter: "response.code >= 400"}}}`,
		[]string{"OSM0218 Telemetry shop/a", "OSM0306 Telemetry shop/b"},
	},
	"encryption": {
		strings.Join([]string{
			egressEnabled, outsideEgress,
			encryption("good", "2026-01-01T00:00:00Z", "a", "{}", ""),
			encryption("newer", "2026-01-02T00:00:00Z", "a", "{}", ""),
			encryption("typo", "2026-01-03T00:00:00Z", "b", "{}", ""),
			encryption("rejected", "2026-01-04T00:00:00Z", "a", "{type: Accepted, status: 'False', reason: RejectedByProxy, message: it is bad.}", ""),
			encryption("earlier", "2026-01-05T00:00:00Z", "b", "{type: Accepted, status: 'False', reason: Invalid, observedGeneration: 7, message: it was bad.}", ""),
		}, "\n---\n"),
		[]string{
			"OSM0234 BackendTLSPolicy shop/earlier", "OSM0310 BackendTLSPolicy shop/newer", "OSM0310 BackendTLSPolicy shop/rejected",
			"OSM0406 BackendTLSPolicy shop/rejected", "OSM0234 BackendTLSPolicy shop/typo",
		},
	},
	"encryption that cannot be used": {
		strings.Join([]string{
			egressEnabled, outsideEgress,
			encryption("system", "2026-01-01T00:00:00Z", "a", "{}", "wellKnownCACertificates: System"),
		}, "\n---\n"),
		[]string{"OSM0235 BackendTLSPolicy shop/system"},
	},
	"encryption without authorities": {
		strings.Join([]string{
			egressEnabled, outsideEgress, encryption("p", "2026-01-01T00:00:00Z", "a", "{type: Accepted, status: 'False', reason: NoValidCACertificate, message: The ConfigMap is empty.}", ""),
		}, "\n---\n"),
		[]string{"OSM0235 BackendTLSPolicy shop/p"},
	},
	"encryption by too many ConfigMaps": {
		egressEnabled + manyEncryptions(gateway.MaxAuthorities+1),
		[]string{"OSM0235 BackendTLSPolicy shop/p64"},
	},
	"a policy outside":  {`{apiVersion: specs.smi-spec.io/v1alpha4, kind: TCPRoute, metadata: {name: r, namespace: out}, spec: {}}`, []string{"OSM0402 TCPRoute out/r"}},
	"a permissive mesh": {permissiveMesh, []string{"OSM0403 MeshConfig osm-system/osm-mesh-config"}},
	"copies of the settings": {
		permissiveMesh + "\n---\n" + strings.ReplaceAll(permissiveMesh, names.MeshConfig, "a-copy") + "\n---\n" + strings.ReplaceAll(permissiveMesh, names.MeshConfig, "z-copy"),
		[]string{"OSM0102 MeshConfig osm-system/a-copy", "OSM0102 MeshConfig osm-system/z-copy", "OSM0403 MeshConfig osm-system/osm-mesh-config"},
	},
	"an old version":      {`{apiVersion: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, metadata: {name: paths, namespace: shop, annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"apiVersion": "specs.smi-spec.io/v1alpha3"}'}}, spec: {matches: [{name: all, pathRegex: "/.*"}]}}`, []string{"OSM0404 HTTPRouteGroup shop/paths"}},
	"a rejected policy":   {strings.Replace(target("in", "="), "spec:", "status: {conditions: [{type: Accepted, status: 'False', reason: RejectedByProxy, message: it is bad.}]}, spec:", 1), []string{"OSM0406 TrafficTarget shop/in"}},
	"a silent authorizer": {`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: ExternalAuthorization, metadata: {name: a, namespace: shop}, spec: {extensionService: {name: none}}, status: {conditions: [{type: ServiceAnswers, status: 'False', reason: ServiceNotAnswering, message: 2 sidecars get no answer.}]}}`, []string{"OSM0218 ExternalAuthorization shop/a", "OSM0409 ExternalAuthorization shop/a"}},
	"no egress gateway":   {`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Egress, metadata: {name: a, namespace: shop}, spec: {sources: [{kind: ServiceAccount, namespace: shop, name: till}], hosts: [a.example.com], ports: [{number: 80, protocol: http}], gateway: {}}}`, []string{"OSM0219 Egress shop/a", "OSM0408 Egress shop/a"}},
	"a namespace through the gateway": {
		`{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {openservicemesh.io/monitored-by: osm}, annotations: {openservicemesh.io/sidecar-injection: enabled, openservicemesh.io/egress-gateway: enabled}}}` + "\n---\n" +
			`{apiVersion: policy.openservicemesh.io/v1alpha1, kind: Egress, metadata: {name: a, namespace: shop}, spec: {sources: [{kind: ServiceAccount, namespace: shop, name: till}], hosts: [a.example.com], ports: [{number: 80, protocol: http}, {number: 5432, protocol: tcp}]}}`,
		[]string{"OSM0219 Egress shop/a", "OSM0220 Egress shop/a", "OSM0408 Egress shop/a"},
	},
	"terminating":                               {`{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, deletionTimestamp: "2026-11-20T00:00:00Z"}, spec: {}}`, nil},
	"no sidecar":                                {`{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {}}`, []string{"OSM0501 Pod shop/p"}},
	"injection turned off":                      {`{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, annotations: {openservicemesh.io/sidecar-injection: disabled}}, spec: {}}`, []string{"OSM0502 Pod shop/p"}},
	"hidden":                                    {`{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, annotations: {openservicemesh.io/sidecar-injection: disabled, openservicemesh.io/analyze-ignore: "OSM0501, osm0502"}}, spec: {}}`, nil},
	"all hidden":                                {`{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, annotations: {openservicemesh.io/analyze-ignore: "*"}}, spec: {}}`, nil},
	"egress is open":                            {policy("a", `policyTypes: [Ingress]`), nil},
	"egress is closed":                          {policy("a", `policyTypes: [Egress]`), []string{"OSM0510 NetworkPolicy shop/a", "OSM0511 NetworkPolicy shop/a"}},
	"egress of others is closed":                {strings.Replace(policy("a", `policyTypes: [Egress]`), "podSelector: {}", "podSelector: {matchLabels: {app: till}}", 1), nil},
	"egress as documented":                      {policy("a", `policyTypes: [Egress]`) + policy("b", toControlPlane) + policy("c", toDNS), nil},
	"egress without the control plane":          {policy("a", `policyTypes: [Egress]`) + policy("c", toDNS), []string{"OSM0510 NetworkPolicy shop/a"}},
	"egress without DNS":                        {policy("a", `policyTypes: [Egress]`) + policy("b", toControlPlane), []string{"OSM0511 NetworkPolicy shop/a"}},
	"egress to DNS with TCP only":               {policy("b", toControlPlane) + policy("c", `egress: [{ports: [{port: 53}]}]`), []string{"OSM0511 NetworkPolicy shop/b"}},
	"egress to other controllers":               {policy("b", `egress: [{ports: [{port: 15128}], to: [{podSelector: {}}]}]`) + policy("c", toDNS), []string{"OSM0510 NetworkPolicy shop/b"}},
	"egress to the ports of DNS pods":           {dnsPods + policy("b", toControlPlane) + policy("c", `egress: [{ports: [{port: 5353, protocol: UDP}]}]`), nil},
	"egress to the namespace of DNS":            {dnsPods + policy("b", toControlPlane) + policy("c", `egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: dns}}}]}]`), nil},
	"egress to another namespace":               {dnsPods + policy("b", toControlPlane) + policy("c", `egress: [{to: [{namespaceSelector: {matchLabels: {kubernetes.io/metadata.name: kube-system}}}]}]`), []string{"OSM0511 NetworkPolicy shop/b"}},
	"egress to a cache on the node":             {dnsPods + policy("b", toControlPlane) + policy("c", `egress: [{to: [{ipBlock: {cidr: 169.254.20.10/32}}]}]`), nil},
	"egress to other controllers' pods":         {controllerPods + policy("b", `egress: [{ports: [{port: 15128}], to: [{namespaceSelector: {matchLabels: {team: shop}}}]}]`) + policy("c", toDNS), []string{"OSM0510 NetworkPolicy shop/b"}},
	"egress to the labels of the control plane": {controllerPods + policy("b", `egress: [{ports: [{port: 15128}], to: [{namespaceSelector: {matchLabels: {team: mesh}}}]}]`) + policy("c", toDNS), nil},
	"egress of a gateway": {
		gatewayPod + strings.Replace(policy("a", `policyTypes: [Egress]`), "namespace: shop", "namespace: osm-system", 1),
		[]string{"OSM0510 NetworkPolicy osm-system/a", "OSM0511 NetworkPolicy osm-system/a"},
	},
	"closed egress is intended": {strings.Replace(policy("a", `policyTypes: [Egress]`), "name: a", `name: a, annotations: {openservicemesh.io/analyze-ignore: "OSM0510,OSM0511"}`, 1), nil},
	"the node's network":        {`{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop}, spec: {hostNetwork: true}}`, []string{"OSM0503 Pod shop/p"}},
	"an old sidecar":            {`{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, labels: {operator.openservicemesh.io/revision: osm-v0-1-0}}, spec: {initContainers: [{name: envoy, restartPolicy: Always}]}}`, []string{"OSM0504 Pod shop/p"}},
	"a class of sidecars": {
		sidecarClass + `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, annotations: {openservicemesh.io/sidecar-class: small}, labels: {operator.openservicemesh.io/revision: osm-v0-2-0}}, spec: {initContainers: [{name: envoy, restartPolicy: Always}]}}`, nil,
	},
	"a class that does not exist": {
		sidecarClass + `{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: shop, annotations: {openservicemesh.io/sidecar-class: large}, labels: {operator.openservicemesh.io/revision: osm-v0-2-0}}, spec: {initContainers: [{name: envoy, restartPolicy: Always}]}}`,
		[]string{"OSM0512 Pod shop/p"},
	},
	"a class that a namespace may not have": {
		strings.Replace(sidecarClass, "name: small", "name: small, namespaceSelector: {matchLabels: {team: payments}}", 1) +
			`{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {openservicemesh.io/monitored-by: osm}, annotations: {openservicemesh.io/sidecar-injection: enabled, openservicemesh.io/sidecar-class: small}}}`,
		[]string{"OSM0512 Namespace shop"},
	},
	"a Service of nobody": {`{apiVersion: v1, kind: Service, metadata: {name: s, namespace: shop}, spec: {clusterIP: 10.0.0.9, selector: {app: none}, ports: [{port: 80}]}}`, []string{"OSM0505 Service shop/s"}},
	"two protocols for a port": {
		`{apiVersion: v1, kind: Service, metadata: {name: bytes, namespace: shop}, spec: {clusterIP: 10.0.0.9, selector: {app: web}, ports: [{port: 81, targetPort: 8080, appProtocol: tcp}]}}`, []string{"OSM0214 TrafficTarget shop/in", "OSM0311 Service shop/web"},
	},
	"a field that sidecars ignore": {
		`{apiVersion: v1, kind: Service, metadata: {name: sticky, namespace: shop}, spec: {clusterIP: 10.0.0.9, selector: {app: web}, sessionAffinity: ClientIP, ports: [{port: 81, targetPort: 8080, appProtocol: http}]}}`, []string{"OSM0102 Service shop/sticky"},
	},
	"addresses of no pod":           {byHand("192.0.2.1"), []string{"OSM0506 Service shop/s"}},
	"the address of a pod":          {byHand("10.1.0.1"), nil},
	"an endpoint that names no pod": {strings.Replace(byHand("10.1.0.1"), "ports:", "selector: {app: web}, ports:", 1), []string{"OSM0506 Service shop/s"}},
	"no such mesh":                  {`{apiVersion: v1, kind: Namespace, metadata: {name: lost, labels: {openservicemesh.io/monitored-by: gone}}}`, []string{"OSM0601 Namespace lost"}},
	"ignored": {
		`{apiVersion: v1, kind: Namespace, metadata: {name: torn, labels: {openservicemesh.io/monitored-by: osm, openservicemesh.io/ignore: "true"}}}`,
		[]string{"OSM0602 Namespace torn"},
	},
	"a namespace of Kubernetes": {
		`{apiVersion: v1, kind: Namespace, metadata: {name: kube-system, labels: {openservicemesh.io/monitored-by: osm}, annotations: {openservicemesh.io/sidecar-injection: enabled}}}` + "\n---\n" +
			`{apiVersion: v1, kind: Pod, metadata: {name: coredns, namespace: kube-system}, spec: {}}`,
		[]string{"OSM0605 Namespace kube-system"},
	},
	"pod security": {
		`{apiVersion: v1, kind: Namespace, metadata: {name: strict, labels: {openservicemesh.io/monitored-by: osm, pod-security.kubernetes.io/enforce: restricted}}}`,
		[]string{"OSM0604 Namespace strict"},
	},
	"no namespace": {`{apiVersion: v1, kind: Namespace, metadata: {name: shop}}`, []string{"OSM0402 HTTPRouteGroup shop/paths", "OSM0603 Mesh osm", "OSM0402 TrafficTarget shop/in", "OSM0507 Pod shop/web-0"}},
	"a namespace that moved": {
		`{apiVersion: v1, kind: Namespace, metadata: {name: away, labels: {openservicemesh.io/monitored-by: other}}}` + "\n---\n" + meshedPod("away", "osm-v0-2-0"), []string{"OSM0507 Pod away/p"},
	},
	"sidecars of another mesh, which looks at them": {`{apiVersion: v1, kind: Namespace, metadata: {name: away}}` + "\n---\n" + meshedPod("away", "other-v0-2-0"), nil},
	"sidecars of a mesh that was removed":           {`{apiVersion: v1, kind: Namespace, metadata: {name: away}}` + "\n---\n" + meshedPod("away", "gone-v0-2-0"), []string{"OSM0507 Pod away/p"}},
	"injection was turned off later": {
		`{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {openservicemesh.io/monitored-by: osm}, annotations: {openservicemesh.io/sidecar-injection: disabled}}}`, []string{"OSM0509 Pod shop/web-0"},
	},
}

// meshedPod is a pod with a sidecar of a revision.
func meshedPod(namespace, revision string) string {
	return fmt.Sprintf(`{apiVersion: v1, kind: Pod, metadata: {name: p, namespace: %s, labels: {operator.openservicemesh.io/revision: %s}}, spec: {initContainers: [{name: envoy, restartPolicy: Always}]}}`, namespace, revision)
}

// with replaces those objects of the shop that have the same names.
func with(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	extra := decode(t, text)
	var all []*unstructured.Unstructured
	for _, object := range decode(t, shop) {
		replaced := false
		for _, other := range extra {
			replaced = replaced || other.GetKind() == object.GetKind() && other.GetNamespace() == object.GetNamespace() && other.GetName() == object.GetName()
		}
		if !replaced {
			all = append(all, object)
		}
	}
	return append(all, extra...)
}

func TestRun(t *testing.T) {
	for name, test := range findings {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, f := range analyze.Run(mesh(t, with(t, test.objects))).Findings {
				got = append(got, f.Code+" "+f.Object())
				if f.Message == "" || !strings.HasSuffix(f.Message, ".") {
					t.Errorf("%s: not a sentence", f)
				}
			}
			want := map[string]bool{}
			for _, line := range test.want {
				want[line] = true
			}
			for _, line := range got {
				if !want[line] {
					t.Errorf("%s is found too", line)
				}
				delete(want, line)
			}
			for line := range want {
				t.Errorf("%s is not found, but %v", line, got)
			}
		})
	}
}

func root(t *testing.T, end time.Time) string {
	t.Helper()
	key, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	template := &x509.Certificate{SerialNumber: big.NewInt(1), NotBefore: now.Add(-time.Hour), NotAfter: end}
	der, err := x509.CreateCertificate(rand.Reader, template, template, &key.PublicKey, key)
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(&pem.Block{Type: "CERTIFICATE", Bytes: der}))
}

func configMap(namespace, certificates string) *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"name": "osm-trust-osm", "namespace": namespace},
		"data": map[string]any{"ca.crt": certificates},
	}}
}

// cilium returns the settings of a network that replaces addresses of Services in pods.
func cilium() *unstructured.Unstructured {
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "v1", "kind": "ConfigMap", "metadata": map[string]any{"namespace": "kube-system", "name": "cilium-config"},
		"data": map[string]any{"kube-proxy-replacement": "true"},
	}}
}

// What only a cluster has.
func TestCluster(t *testing.T) {
	namespaces := ""
	for _, name := range []string{"ended", "ends", "empty", "both"} {
		namespaces += "{apiVersion: v1, kind: Namespace, metadata: {name: " + name + ", labels: {openservicemesh.io/monitored-by: osm}}}\n---\n"
	}
	objects := decode(t, shop+namespaces)
	builder := fake.NewClientBuilder().WithScheme(scheme(t))
	ended, good := root(t, now.Add(-time.Hour)), root(t, now.Add(1000*time.Hour))
	for _, object := range append(decode(t, `
{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: osm}, status: {conditions: [{type: Ready, status: "False", reason: ApplyFailed, message: it is bad.}]}}
`), configMap("ended", ended), configMap("ends", root(t, now.Add(time.Hour))), configMap("empty", ""), configMap("both", ended+good), cilium()) {
		builder.WithObjects(client.Object(object))
	}
	objects = append(objects, decode(t, `{apiVersion: gateway.networking.k8s.io/v1, kind: Gateway, metadata: {name: entry, namespace: shop}, spec: {gatewayClassName: osm}}`)...)
	for _, object := range decode(t, policy("b", toControlPlane)) {
		builder.WithObjects(object)
	}
	var got []string
	for _, f := range analyze.Cluster(t.Context(), builder.Build(), mesh(t, objects)).Findings {
		got = append(got, f.Code+" "+f.Object())
	}
	want := []string{
		"OSM0701 ConfigMap empty/osm-trust-osm", "OSM0702 ConfigMap ended/osm-trust-osm", "OSM0701 ConfigMap shop/osm-trust-osm", "OSM0236 Gateway shop/entry",
		"OSM0707 Mesh osm", "OSM0708 Mesh osm", "OSM0710 Mesh osm", "OSM0704 MutatingWebhookConfiguration osm-webhook-osm", "OSM0511 NetworkPolicy shop/b",
		"OSM0703 ConfigMap ends/osm-trust-osm", "OSM0706 ValidatingAdmissionPolicy traffictarget-namespace.openservicemesh.io",
		"OSM0705 ValidatingWebhookConfiguration osm-validator-mesh-osm",
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
