package page

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/cli/gatewaystatus"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/operator/desired"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
)

// describe adds the status of a Mesh.
func (s *State) describe(live *v1alpha1.Mesh) {
	for _, c := range live.Status.Conditions {
		s.Mesh.Conditions = append(s.Mesh.Conditions, Condition{Type: c.Type, Status: string(c.Status), Reason: c.Reason, Message: c.Message})
	}
	if u := live.Status.Upgrade; u != nil {
		sidecars := ptr.Deref(live.Status.Proxies, v1alpha1.ProxyCounts{})
		s.Rollout = &Rollout{
			Phase: string(u.Phase), From: u.From, To: desired.DestinationName(u), Message: u.Message,
			Total: sidecars.Total, Outdated: sidecars.Outdated,
		}
	}
	if live.Status.Certificates != nil {
		s.Certificates = certificatesOf(*live.Status.Certificates, s.Sidecars)
	}
}

// Times before the expiry of certificates from which they need attention. They are those of the alerts.
const (
	warnRoot     = 30 * 24 * time.Hour
	warnIssuer   = 7 * 24 * time.Hour
	warnWorkload = 10 * time.Minute
)

// certificatesOf returns the certificates in the status, and the one of a sidecar that expires first.
func certificatesOf(status v1alpha1.CertificatesStatus, sidecars []Sidecar) []Certificate {
	holders := map[string]int{}
	var first *Certificate
	for _, sidecar := range sidecars {
		holders[sidecar.issuer]++
		if end := sidecar.CertificateEnd; end != nil && (first == nil || end.Before(first.End)) {
			first = &Certificate{
				Kind: "workload", Subject: "the first is " + sidecar.Namespace + "/" + sidecar.ServiceAccount, End: *end, Warning: warnWorkload.Seconds(), Holders: len(sidecars),
			}
		}
	}
	all := []Certificate{{
		Kind: "issuer", Subject: status.Issuer.Subject, End: status.Issuer.NotAfter.Time, Holders: holders[status.Issuer.Fingerprint], Active: true,
		Warning: warnIssuer.Seconds(),
	}}
	for _, root := range status.Roots {
		if root.Fingerprint == status.Issuer.Fingerprint {
			all[0].Kind, all[0].Warning = "root", warnRoot.Seconds()
			continue
		}
		all = append(all, Certificate{Kind: "root", Subject: root.Subject, End: root.NotAfter.Time, Warning: warnRoot.Seconds(), Holders: holders[root.Fingerprint]})
	}
	for _, webhook := range status.Webhooks {
		all = append(all, Certificate{Kind: "webhook", Subject: "Secret " + webhook.Secret, End: webhook.NotAfter.Time, Warning: warnIssuer.Seconds()})
	}
	if gateway := status.IngressGateway; gateway != nil {
		all = append(all, Certificate{Kind: "ingress gateway", Subject: "Secret " + gateway.Namespace + "/" + gateway.Name, End: gateway.NotAfter.Time, Warning: warnIssuer.Seconds()})
	}
	if first != nil {
		all = append(all, *first)
	}
	return all
}

// SidecarOf returns a connected sidecar. Text explains its state.
func SidecarOf(p report.Proxy, state, text, replica string) Sidecar {
	s := Sidecar{
		Namespace: p.Namespace, Pod: p.Pod, Slot: p.Slot, ServiceAccount: p.ServiceAccount, State: state, Text: text, Replica: replica, Revision: p.Revision,
		Envoy: p.Envoy, CertificateEnd: p.CertificateEnd, issuer: p.CertificateIssuer,
	}
	for _, t := range p.Types {
		if t.Behind != nil && (s.Behind == nil || t.Behind.Before(*s.Behind)) {
			s.Behind = t.Behind
		}
	}
	return s
}

// States of a policy.
const (
	inForce      = "in force"
	notInForce   = "not in force"
	unknownState = "unknown"
)

// policies returns the policies in the namespaces of a mesh, and a problem for each kind that cannot be read.
func policies(ctx context.Context, c client.Client, mesh string, members []string) (all []Policy, objects []*unstructured.Unstructured, problems []string) {
	all = []Policy{}
	for _, source := range kinds.Policies() {
		kind := source.Object.GetObjectKind().GroupVersionKind()
		list := &unstructured.UnstructuredList{}
		list.SetGroupVersionKind(kind)
		if err := c.List(ctx, list); err != nil {
			if !meta.IsNoMatchError(err) {
				problems = append(problems, fmt.Sprintf("Objects of kind %s cannot be read: %v", kind.Kind, err))
			}
			continue
		}
		for i := range list.Items {
			if object := &list.Items[i]; slices.Contains(members, object.GetNamespace()) {
				all, objects = append(all, policyOf(object)), append(objects, object)
			}
		}
	}
	ofGateways, errs := gatewaystatus.Read(ctx, c, mesh, members)
	for _, object := range ofGateways {
		all, objects = append(all, gatewayObjectOf(object)), append(objects, object.Unstructured)
	}
	for _, err := range errs {
		problems = append(problems, fmt.Sprintf("Objects of the Gateway API cannot be read: %v", err))
	}
	return all, objects, problems
}

// gatewayObjectOf summarizes an object of the Gateway API.
func gatewayObjectOf(object gatewaystatus.Object) Policy {
	p := Policy{Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName(), State: inForce, Message: strings.Join(object.Problems, "; ")}
	switch {
	case len(object.Problems) > 0:
		p.State = notInForce
	case !object.IsKnown:
		p.State, p.Message = unknownState, "the control plane has not reported about it yet"
	}
	return p
}

// policyOf summarizes the conditions of a policy. The control plane writes them, so a policy without conditions is not known yet, unless its kind
// has conditions only with problems.
func policyOf(object *unstructured.Unstructured) Policy {
	p := Policy{Kind: object.GetKind(), Namespace: object.GetNamespace(), Name: object.GetName(), State: unknownState}
	conditions, err := kinds.ConditionsOf(object)
	if err != nil || len(conditions) == 0 && !kinds.HasQuietStatus(p.Kind) {
		p.Message = "the control plane has not reported about it yet"
		return p
	}
	p.State = inForce
	var problems []string
	for _, c := range conditions {
		// Ready repeats one of the others.
		if c.Status == metav1.ConditionFalse && c.Type != kinds.ConditionReady {
			p.State = notInForce
			problems = append(problems, c.Reason+": "+c.Message)
		}
	}
	p.Message = strings.Join(problems, "; ")
	return p
}
