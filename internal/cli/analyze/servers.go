package analyze

import (
	"strings"

	"k8s.io/apimachinery/pkg/labels"

	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/inventory"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/extauthz"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/telemetry"
)

// servers reports addresses of servers that are Services of the cluster and do not exist. Other names can only be looked up in the cluster.
func (a *analysis) servers() {
	for _, service := range entries[*catalog.ExtensionService](a) {
		a.server(a.subject(entity.KindExtensionService, service.Name), "spec.host", service.Address, "sidecars get no answer from it")
	}
	settings := a.view.Settings()
	if t := settings.Tracing; t != nil {
		a.server(a.config(), "spec.observability.tracing.address", t.Address, "no traces are recorded")
	}
	if e := settings.ExternalAuthorization; e != nil {
		a.server(a.config(), "spec.traffic.inboundExternalAuthorization.address", e.Address, "it decides about no request")
	}
	for _, policy := range entries[*catalog.Egress](a) {
		for _, host := range policy.Hosts {
			a.server(a.subject(entity.KindEgress, policy.Name), "spec.hosts", host, "requests to it fail")
		}
	}
}

func (a *analysis) server(s subject, field, address, effect string) {
	name, local := catalog.ServiceOfHost(strings.ToLower(address))
	if local && a.missing(entity.KindService, name) {
		a.add(codeNoServer, s, "%s has %s, but Service %s does not exist in namespace %s, so %s: correct the address, or create the Service.", field, address, name.Name, name.Namespace, effect)
	}
}

// selectors reports policies whose selector selects no pod. Those in the namespace of the mesh select pods of all namespaces.
func (a *analysis) selectors() {
	for _, policy := range entries[*telemetry.Policy](a) {
		a.selector(telemetry.Kind, policy.Name, policy.Selector)
	}
	for _, policy := range entries[*extauthz.Policy](a) {
		a.selector(extauthz.Kind, policy.Name, policy.Selector)
	}
}

func (a *analysis) selector(kind entity.Kind, name entity.Name, selector map[string]string) {
	if len(selector) == 0 || a.mesh.Partial && !a.has(entity.KindPod, name.Namespace) {
		return
	}
	for _, pod := range entries[*inventory.Instance](a) {
		if pod.Finished || pod.Name.Namespace != name.Namespace && name.Namespace != a.mesh.Namespace {
			continue
		}
		if labels.SelectorFromSet(selector).Matches(labels.Set(pod.Labels)) {
			return
		}
	}
	a.add(codeSelectsNone, a.subject(kind, name), "No pod has the labels of spec.selector (%s), so the object has no effect: correct the selector, or start the workload.", selectorText(selector))
}
