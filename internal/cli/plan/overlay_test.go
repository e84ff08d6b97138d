package plan_test

import (
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"

	"github.com/openservicemesh/osm-operator/internal/cli/manifests"
	"github.com/openservicemesh/osm-operator/internal/cli/plan"
)

func decode(t *testing.T, text string) []*unstructured.Unstructured {
	t.Helper()
	objects, err := manifests.Decode([]byte(text))
	if err != nil {
		t.Fatal(err)
	}
	return objects
}

// cluster is what an API server has: more fields than any file.
const cluster = `
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {openservicemesh.io/monitored-by: osm, kept: here}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop, resourceVersion: "7", annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"metadata":{"annotations":{},"name":"web"}}'}}, spec: {clusterIP: 10.0.0.1, clusterIPs: [10.0.0.1], selector: {app: web}, ports: [{port: 80, protocol: TCP, targetPort: 80}]}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: web-x, namespace: shop, labels: {kubernetes.io/service-name: web}}, addressType: IPv4, endpoints: [{addresses: [10.1.0.1], targetRef: {kind: Pod, name: web-0}}]}
---
{apiVersion: v1, kind: Pod, metadata: {name: web-0, namespace: shop, labels: {app: web}, ownerReferences: [{apiVersion: apps/v1, kind: StatefulSet, name: web, uid: u, controller: true}]}, spec: {serviceAccountName: web, initContainers: [{name: envoy, restartPolicy: Always}]}, status: {podIPs: [{ip: 10.1.0.1}]}}
---
{apiVersion: v1, kind: Pod, metadata: {name: other, namespace: shop, labels: {app: other}}, spec: {serviceAccountName: web, initContainers: [{name: envoy, restartPolicy: Always}]}, status: {podIPs: [{ip: 10.1.0.2}]}}
---
{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: osm-system}, spec: {traffic: {enableEgress: true, enablePermissiveTrafficPolicyMode: true}}}
---
apiVersion: specs.smi-spec.io/v1alpha4
kind: HTTPRouteGroup
metadata:
  name: paths
  namespace: shop
  creationTimestamp: "2026-01-01T00:00:00Z"
  annotations: {kubectl.kubernetes.io/last-applied-configuration: '{"apiVersion":"specs.smi-spec.io/v1alpha4","kind":"HTTPRouteGroup","metadata":{"name":"paths","namespace":"shop","labels":{"old":"x"}},"spec":{"matches":[{"name":"a","pathRegex":"/a"}]}}'}
  labels: {old: x, mine: here}
spec: {matches: [{name: a, pathRegex: /a}]}
`

// put is what an object would be after applying files.
func put(t *testing.T, files, kind, name string) *unstructured.Unstructured {
	t.Helper()
	e := overlay(t, plan.Request{Apply: decode(t, files), Namespace: "shop", Now: time.Unix(1, 0)})
	for _, object := range e.Put {
		if object.GetKind() == kind && object.GetName() == name {
			return object
		}
	}
	t.Fatalf("%s %s is not put: %v", kind, name, e.Objects)
	return nil
}

func overlay(t *testing.T, r plan.Request) *plan.Edit {
	t.Helper()
	e, err := subject(t, decode(t, cluster)).Overlay(r)
	if err != nil {
		t.Fatal(err)
	}
	return e
}

func field(object *unstructured.Unstructured, path string) any {
	value, _, _ := unstructured.NestedFieldNoCopy(object.Object, strings.Split(path, ".")...)
	return value
}

// Files are merged as kubectl apply does.
func TestApply(t *testing.T) {
	tests := map[string]struct {
		files, kind, name string
		want              map[string]any
	}{
		"a label of the last version goes, one of somebody else stays, and a list is replaced": {
			`{apiVersion: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, metadata: {name: paths, labels: {new: z}}, spec: {matches: [{name: b, pathRegex: /b}]}}`,
			"HTTPRouteGroup", "paths",
			map[string]any{"metadata.labels": map[string]any{"mine": "here", "new": "z"}, "spec.matches": []any{map[string]any{"name": "b", "pathRegex": "/b"}}, "metadata.creationTimestamp": "2026-01-01T00:00:00Z"},
		},
		"a Service keeps its address": {
			`{apiVersion: v1, kind: Service, metadata: {name: web, namespace: shop}, spec: {selector: {app: web}, ports: [{port: 80, targetPort: 8080}]}}`,
			"Service", "web",
			map[string]any{"spec.clusterIP": "10.0.0.1", "spec.ports": []any{map[string]any{"port": int64(80), "protocol": "TCP", "targetPort": int64(8080)}}},
		},
		"settings that a file does not mention stay": {
			`{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: osm-system}, spec: {traffic: {enablePermissiveTrafficPolicyMode: false}}}`,
			"MeshConfig", "osm-mesh-config",
			map[string]any{"spec.traffic": map[string]any{"enableEgress": true, "enablePermissiveTrafficPolicyMode": false}},
		},
		"a new object is as old as the moment": {
			`{apiVersion: split.smi-spec.io/v1alpha4, kind: TrafficSplit, metadata: {name: s}, spec: {service: web}}`,
			"TrafficSplit", "s",
			map[string]any{"metadata.creationTimestamp": "1970-01-01T00:00:01Z", "metadata.namespace": "shop"},
		},
		"another version of the API": {
			`{apiVersion: specs.smi-spec.io/v1alpha3, kind: HTTPRouteGroup, metadata: {name: paths, labels: {old: z}}, spec: {matches: [{name: a, pathRegex: /a}]}}`,
			"HTTPRouteGroup", "paths",
			map[string]any{"apiVersion": "specs.smi-spec.io/v1alpha4", "metadata.labels": map[string]any{"mine": "here", "old": "z"}},
		},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			object := put(t, test.files, test.kind, test.name)
			for path, want := range test.want {
				if diff := cmp.Diff(want, field(object, path)); diff != "" {
					t.Errorf("%s (-want +got):\n%s", path, diff)
				}
			}
		})
	}
}

func TestApplyNothingNew(t *testing.T) {
	e := overlay(t, plan.Request{Namespace: "shop", Apply: decode(t, `
{apiVersion: v1, kind: Namespace, metadata: {name: shop, labels: {kept: here}}}
---
{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: web}, ports: [{port: 80}]}}
---
{apiVersion: specs.smi-spec.io/v1alpha4, kind: HTTPRouteGroup, metadata: {name: paths, labels: {old: x}}, spec: {matches: [{name: a, pathRegex: /a}]}}
---
{apiVersion: config.openservicemesh.io/v1alpha2, kind: MeshConfig, metadata: {name: osm-mesh-config, namespace: elsewhere}, spec: {traffic: {enableEgress: false}}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: any}}
---
{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: web}, spec: {template: {metadata: {labels: {app: web}}, spec: {serviceAccountName: web}}}}
`)})
	if len(e.Put)+len(e.Remove)+len(e.Objects)+len(e.Unknown) > 0 {
		t.Errorf("the edit is not empty: %+v", e)
	}
}

// What a cluster would add, and what it would take away.
func TestConsequences(t *testing.T) {
	names := func(objects []*unstructured.Unstructured) string {
		var all []string
		for _, object := range objects {
			all = append(all, object.GetKind()+" "+object.GetName())
		}
		return strings.Join(all, ", ")
	}
	tests := map[string]struct {
		apply, delete, wantPut, wantRemoved, wantUnknown string
	}{
		"another selector": {
			`{apiVersion: v1, kind: Service, metadata: {name: web}, spec: {selector: {app: other}}}`, "",
			"Service web, EndpointSlice web", "EndpointSlice web-x", "",
		},
		"a new workload": {
			`{apiVersion: apps/v1, kind: Deployment, metadata: {name: more}, spec: {template: {metadata: {labels: {app: web}}, spec: {}}}}`, "",
			"Pod more-0, EndpointSlice web", "EndpointSlice web-x", "deployment shop/more: its number of pods. The plan assumes one pod.",
		},
		"a workload that would replace its pods": {
			`{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: web}, spec: {template: {metadata: {labels: {app: web}}, spec: {serviceAccountName: another}}}}`, "",
			"", "", "statefulset shop/web: its pods would be replaced by pods with another service account or other labels. The plan uses the existing pods.",
		},
		"a Mesh":             {`{apiVersion: operator.openservicemesh.io/v1alpha1, kind: Mesh, metadata: {name: osm}}`, "", "", "", "Mesh osm: changes made by the operator. Set spec.mode to Plan and run `osm mesh plan` to see them."},
		"a Service is gone":  {"", `{apiVersion: v1, kind: Service, metadata: {name: web}}`, "", "EndpointSlice web-x, Service web", ""},
		"a workload is gone": {"", `{apiVersion: apps/v1, kind: StatefulSet, metadata: {name: web}}`, "", "Pod web-0", ""},
		"nothing is gone":    {"", `{apiVersion: v1, kind: Service, metadata: {name: none}}`, "", "", ""},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			e := overlay(t, plan.Request{Apply: decode(t, test.apply), Delete: decode(t, test.delete), Namespace: "shop"})
			got := []string{names(e.Put), names(e.Remove), strings.Join(e.Unknown, " ")}
			if diff := cmp.Diff([]string{test.wantPut, test.wantRemoved, test.wantUnknown}, got); diff != "" {
				t.Errorf("put, removed, unknown (-want +got):\n%s", diff)
			}
		})
	}
}
