package translate

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	accessv1alpha3 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/access/v1alpha3"
	splitv1alpha4 "github.com/servicemeshinterface/smi-sdk-go/pkg/apis/split/v1alpha4"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/utils/ptr"

	policyv1alpha1 "github.com/openservicemesh/osm-operator/api/policy/v1alpha1"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/identity"
	"github.com/openservicemesh/osm-operator/internal/mesh/policy/retry"
)

// add adds the objects for the rules of a Service, and describes them. Of TrafficSplits with matches, the older one applies, then the first by name:
// their names are in the order of the rules.
func (t *toSMI) add(service entity.Name, s serviceRules, from []entity.Ref) string {
	first := len(t.Objects)
	add := func(object *unstructured.Unstructured) { t.Objects = append(t.Objects, Object{object, from}) }
	base := t.freeBase(service, len(s.rules))
	for i, rule := range s.rules {
		name := entity.Name{Namespace: service.Namespace, Name: base.Name}
		if i < len(s.rules)-1 {
			name = numbered(base, i+1, len(s.rules)-1)
			add(groupObject(name, rule.matches))
			add(splitObject(name, service, rule.backends, name.Name))
		} else if !isSelf(s.rules, service) {
			add(splitObject(name, service, rule.backends, ""))
		}
	}
	t.addRetries(t.clientsOf(service), service, s.retry, from)
	return describeObjects(t.Objects[first:])
}

// addRetries adds a Retry of each client for a Service, unless the policy is nil.
func (t *toSMI) addRetries(clients []identity.ServiceAccount, service entity.Name, policy *retry.Settings, from []entity.Ref) {
	if policy == nil {
		return
	}
	for _, client := range clients {
		name := t.free(retry.Kind, entity.Name{Namespace: client.Namespace, Name: client.Name + "-" + service.Name}).Name
		t.Objects = append(t.Objects, Object{retryPolicyObject(name, client, service, *policy), from})
	}
}

// describeObjects names objects by kind.
func describeObjects(list []Object) string {
	if len(list) == 0 {
		return "it sends all requests to the Service itself, which needs no object."
	}
	var into []entity.Ref
	for _, object := range list {
		into = append(into, refOf(object))
	}
	slices.SortStableFunc(into, func(a, b entity.Ref) int { return cmp.Compare(a.Kind, b.Kind) })
	return joinRefs(into) + "."
}

// numbered returns the name of one of several objects. Names sort like their numbers.
func numbered(base entity.Name, i, of int) entity.Name {
	base.Name = fmt.Sprintf("%s-%0*d", base.Name, len(fmt.Sprint(of)), i)
	return base
}

// freeBase returns a name with which no new TrafficSplit and HTTPRouteGroup has the name of an existing one.
func (t *toSMI) freeBase(service entity.Name, rules int) entity.Name {
	base := service
	for i := 2; ; i++ {
		if !t.isTaken(base, rules) {
			return base
		}
		base.Name = fmt.Sprintf("%s-v%d", service.Name, i)
	}
}

func (t *toSMI) isTaken(base entity.Name, rules int) bool {
	names := []entity.Name{base}
	for i := 1; i < rules; i++ {
		names = append(names, numbered(base, i, rules-1))
	}
	return slices.ContainsFunc(names, func(name entity.Name) bool {
		_, split := t.names[entity.Ref{Kind: entity.KindTrafficSplit, Name: name}]
		_, group := t.names[entity.Ref{Kind: entity.KindHTTPRouteGroup, Name: name}]
		return split || group
	})
}

// groupObject returns an HTTPRouteGroup. The type of the SDK cannot hold headers in the form that it reads.
func groupObject(name entity.Name, matches []catalog.RouteMatch) *unstructured.Unstructured {
	var list []any
	for i, m := range matches {
		match, _ := groupMatch(m)
		object := map[string]any{"name": fmt.Sprintf("match-%d", i+1)}
		if match.PathRegex != "" {
			object["pathRegex"] = match.PathRegex
		}
		if len(match.Methods) > 0 {
			object["methods"] = []any{match.Methods[0]}
		}
		var headers []any
		for _, h := range match.Headers {
			headers = append(headers, map[string]any{h.Name: h.Regex})
		}
		if headers != nil {
			object["headers"] = headers
		}
		list = append(list, object)
	}
	return &unstructured.Unstructured{Object: map[string]any{
		"apiVersion": "specs.smi-spec.io/v1alpha4", "kind": string(entity.KindHTTPRouteGroup),
		"metadata": map[string]any{"namespace": name.Namespace, "name": name.Name},
		"spec":     map[string]any{"matches": list},
	}}
}

// splitObject returns a TrafficSplit for the requests of a group; for all if it is empty.
func splitObject(name, root entity.Name, backends []catalog.SplitBackend, group string) *unstructured.Unstructured {
	object := splitv1alpha4.TrafficSplit{}
	object.APIVersion, object.Kind = splitv1alpha4.SchemeGroupVersion.String(), string(entity.KindTrafficSplit)
	object.Namespace, object.Name, object.Spec.Service = name.Namespace, name.Name, root.Name
	for _, backend := range backends {
		object.Spec.Backends = append(object.Spec.Backends, splitv1alpha4.TrafficSplitBackend{Service: backend.Service.Name, Weight: int(backend.Weight)})
	}
	if group != "" {
		object.Spec.Matches = []corev1.TypedLocalObjectReference{{APIGroup: ptr.To("specs.smi-spec.io"), Kind: string(entity.KindHTTPRouteGroup), Name: group}}
	}
	return asObject(&object)
}

// retryPolicyObject returns a Retry of a client for a Service.
func retryPolicyObject(name entity.Name, client identity.ServiceAccount, service entity.Name, p retry.Settings) *unstructured.Unstructured {
	object := policyv1alpha1.Retry{}
	object.APIVersion, object.Kind = policyv1alpha1.GroupVersion.String(), string(retry.Kind)
	object.Namespace, object.Name = name.Namespace, name.Name
	source := accessv1alpha3.IdentityBindingSubject{Kind: "ServiceAccount", Name: client.Name, Namespace: client.Namespace}
	object.Spec.Source = policyv1alpha1.RetrySource(source)
	object.Spec.Destinations = []policyv1alpha1.RetryDestination{{Kind: "Service", Name: service.Name, Namespace: service.Namespace}}
	object.Spec.RetryPolicy = policyv1alpha1.RetryPolicySpec{RetryOn: p.On, NumRetries: ptr.To(int64(p.Count))}
	object.Spec.RetryPolicy.PerTryTimeout, _ = gatewayDuration(p.PerTryTimeout)
	object.Spec.RetryPolicy.RetryBackoffBaseInterval, _ = gatewayDuration(p.BackoffBase)
	content := asObject(&object)
	for field, duration := range map[string]time.Duration{"perTryTimeout": p.PerTryTimeout, "retryBackoffBaseInterval": p.BackoffBase} {
		if duration == 0 {
			unstructured.RemoveNestedField(content.Object, "spec", "retryPolicy", field)
		}
	}
	return content
}
