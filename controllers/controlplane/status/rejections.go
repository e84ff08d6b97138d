package status

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
	"sync"
	"time"

	"github.com/go-logr/logr"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"sigs.k8s.io/controller-runtime/pkg/event"

	"github.com/openservicemesh/osm-operator/controllers/controlplane/traffic"
	"github.com/openservicemesh/osm-operator/internal/mesh/authz"
	"github.com/openservicemesh/osm-operator/internal/mesh/entity"
	"github.com/openservicemesh/osm-operator/internal/mesh/kinds"
	"github.com/openservicemesh/osm-operator/internal/platform/message"
	"github.com/openservicemesh/osm-operator/internal/platform/report"
	"github.com/openservicemesh/osm-operator/internal/platform/report/client"
)

const (
	// pollInterval is how often the leader polls the other replicas. Rejections of its own sidecars arrive at once.
	pollInterval = 5 * time.Second
	// maxReported is the number of rejections that the condition of one object describes.
	maxReported = 3
	// ownReplica is the key of this replica's own rejections.
	ownReplica = ""
)

// Rejections collects the policies that sidecars of any replica rejected, and the servers that do not answer them. The leader polls the other
// replicas. The last answer of an unreachable replica is kept until its pod is deleted.
type Rejections struct {
	own    func() report.Rejections
	others func(context.Context) ([]client.Answer[report.Rejections], error)
	wake   chan struct{}

	mu        sync.Mutex
	known     bool
	byReplica map[string]report.Rejections
	byPolicy  map[policyKey][]report.Rejection
	// limited has the sidecars in which a policy with too many routes is not complete.
	limited  map[policyKey]string
	watchers map[string][]chan event.GenericEvent
	servers  serverFailures
}

type policyKey struct{ kind, namespace, name string }

// NewRejections returns Rejections with functions that read this replica's rejections and those of the others. now is the clock.
func NewRejections(own func() report.Rejections, others func(context.Context) ([]client.Answer[report.Rejections], error), now func() time.Time) *Rejections {
	return &Rejections{
		own: own, others: others, wake: make(chan struct{}, 1),
		byReplica: map[string]report.Rejections{}, watchers: map[string][]chan event.GenericEvent{},
		servers: serverFailures{now: now, watchers: map[string]chan event.GenericEvent{}},
	}
}

// Changed triggers an update, after this replica's rejections changed or it acquired the Lease. It does not block.
func (r *Rejections) Changed() { signal(r.wake, struct{}{}) }

// Watch returns a channel of objects of a kind whose rejections changed from now on. Rejections wait until the channel is read, so a
// controller must start to read it soon.
func (r *Rejections) Watch(kind schema.GroupVersionKind) <-chan event.GenericEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := make(chan event.GenericEvent)
	name := string(kinds.EntryKind(kind))
	r.watchers[name] = append(r.watchers[name], c)
	return c
}

// Of returns the rejections of an object, sorted. ok is false until every replica has been polled once.
func (r *Rejections) Of(kind, namespace, name string) ([]report.Rejection, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byPolicy[policyKey{kind, namespace, name}], r.known
}

// limitedIn describes the sidecars in which an object is not complete because it has too many routes. It is empty for none.
func (r *Rejections) limitedIn(kind, namespace, name string) string {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.limited[policyKey{kind, namespace, name}]
}

// Run updates the rejections while this replica leads, until ctx ends.
func (r *Rejections) Run(ctx context.Context, leading func() bool, log logr.Logger) error {
	ticker := time.NewTicker(pollInterval)
	defer ticker.Stop()
	for {
		if !leading() {
			r.mu.Lock()
			r.known = false
			r.mu.Unlock()
		} else if err := r.refresh(ctx); err != nil && ctx.Err() == nil {
			log.Error(err, "cannot read the rejections of other replicas")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-r.wake:
		}
	}
}

// refresh polls all replicas and sends the changed objects to their watchers.
func (r *Rejections) refresh(ctx context.Context) error {
	answers, err := r.others(ctx)
	if errors.Is(err, client.ErrNoReplicas) {
		err = nil
	}
	changes, servers := r.update(r.own(), answers, err == nil)
	for _, changed := range changes {
		for _, watcher := range r.watchersOf(changed.kind) {
			traffic.Send(ctx, watcher, schema.GroupVersionKind{Kind: changed.kind}, entity.Name{Namespace: changed.namespace, Name: changed.name})
		}
	}
	r.servers.notify(ctx, servers)
	for _, answer := range answers {
		err = errors.Join(err, answer.Err)
	}
	return err
}

func (r *Rejections) watchersOf(kind string) []chan event.GenericEvent {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.watchers[kind])
}

// update replaces what replicas report. It returns the policies whose rejections changed, and the servers whose failures changed.
func (r *Rejections) update(own report.Rejections, answers []client.Answer[report.Rejections], complete bool) ([]policyKey, []failureKey) {
	r.mu.Lock()
	defer r.mu.Unlock()
	before, limitedBefore := r.byPolicy, r.limited
	current := map[string]report.Rejections{ownReplica: own}
	if !complete {
		current = maps.Clone(r.byReplica)
		current[ownReplica] = own
	}
	for _, answer := range answers {
		current[answer.Replica] = answer.Value
		if answer.Err != nil {
			current[answer.Replica] = r.byReplica[answer.Replica]
		}
	}
	r.byReplica, r.byPolicy, r.limited, r.known = current, groupByPolicy(current), limitedPolicies(current), true
	changed := map[policyKey]struct{}{}
	addChanges(changed, before, r.byPolicy, slices.Equal)
	addChanges(changed, limitedBefore, r.limited, func(a, b string) bool { return a == b })
	maps.DeleteFunc(changed, func(p policyKey, _ struct{}) bool { return r.watchers[p.kind] == nil })
	return slices.Collect(maps.Keys(changed)), r.servers.update(current)
}

// addChanges adds the keys whose values differ.
func addChanges[K comparable, V any](changed map[K]struct{}, before, after map[K]V, equal func(a, b V) bool) {
	for _, m := range []map[K]V{before, after} {
		for p := range m {
			if !equal(before[p], after[p]) {
				changed[p] = struct{}{}
			}
		}
	}
}

// groupByPolicy groups rejections by policy, and keeps one for each service account.
func groupByPolicy(byReplica map[string]report.Rejections) map[policyKey][]report.Rejection {
	result := map[policyKey][]report.Rejection{}
	for _, replica := range byReplica {
		for _, one := range replica.Rejections {
			p := policyKey{one.Kind, one.Namespace, one.Name}
			result[p] = append(result[p], one)
		}
	}
	for p, list := range result {
		slices.SortFunc(list, func(a, b report.Rejection) int {
			return cmp.Or(strings.Compare(a.ServiceAccount, b.ServiceAccount), a.At.Compare(b.At), strings.Compare(a.Pod, b.Pod))
		})
		result[p] = slices.CompactFunc(list, func(a, b report.Rejection) bool { return a.ServiceAccount == b.ServiceAccount })
	}
	return result
}

// rejectedCondition returns the Accepted condition of an object that sidecars rejected.
func rejectedCondition(list []report.Rejection, before metav1.Condition) metav1.Condition {
	return notAccepted(kinds.ReasonRejectedByProxy, RejectionMessage(list), before)
}

// notAccepted returns the Accepted condition of an object that is not accepted for another reason than before.
func notAccepted(reason, text string, before metav1.Condition) metav1.Condition {
	if before.Status == metav1.ConditionFalse {
		text += " " + before.Message
	}
	return metav1.Condition{Type: kinds.ConditionAccepted, Status: metav1.ConditionFalse, Reason: reason, Message: message.ForCondition(text)}
}

// RejectionMessage describes which sidecars rejected an object, and why.
func RejectionMessage(list []report.Rejection) string {
	var text strings.Builder
	for _, one := range list[:min(len(list), maxReported)] {
		fmt.Fprintf(&text, "The sidecar of pod %s rejected %s %q, so this object is not in force for the sidecars of service account %s until it changes. Envoy's error: %s. ",
			one.Pod, one.Type, one.Resource, one.ServiceAccount, strings.TrimRight(one.Text, " .\n"))
	}
	if more := len(list) - maxReported; more > 0 {
		fmt.Fprintf(&text, "Sidecars of %d other service accounts rejected it, too. ", more)
	}
	return message.ForCondition(strings.TrimSpace(text.String()))
}

// limitEffect describes what the route limit does to an object in some sidecars.
func limitEffect(kind, sidecars string) string {
	switch kind {
	case kinds.TrafficTarget.Kind:
		return fmt.Sprintf("Some ports deny all requests of the mesh in %s, because the routes and clients of all ports of a pod exceed %d: "+
			"use fewer ports, matches or sources.", sidecars, authz.MaxRoutes)
	case kinds.IngressBackend.Kind:
		return fmt.Sprintf("Some ports deny all requests from outside in %s, because the matches and clients of all ports of a pod exceed %d: "+
			"use fewer ports, matches or sources.", sidecars, authz.MaxRoutes)
	case kinds.TrafficSplit.Kind:
		return fmt.Sprintf("Some requests that this object selects go to the destination of all others in %s, because the backends of all matches of "+
			"TrafficSplits of the namespace exceed %d, or %d for clients in other namespaces: use fewer ports, matches or backends.", sidecars, authz.MaxRoutes, authz.MaxCrossNamespaceRoutes)
	case kinds.HTTPRoute.Kind, kinds.GRPCRoute.Kind:
		return fmt.Sprintf("Some matches have no effect in %s, because the matches and backends of all policies of the namespace exceed %d routes, or %d for clients in other "+
			"namespaces: use fewer matches, backends or parents.", sidecars, authz.MaxRoutes, authz.MaxCrossNamespaceRoutes)
	case string(entity.KindGatewayTCPRoute), string(entity.KindTLSRoute):
		return fmt.Sprintf("Connections that this route selects are closed in %s, because the server names and backends of all policies of the namespace exceed %d routes, or %d "+
			"for clients in other namespaces: use fewer hostnames, backends or parents.", sidecars, authz.MaxRoutes, authz.MaxCrossNamespaceRoutes)
	case kinds.Telemetry.Kind:
		return fmt.Sprintf("The log has the default format without attributes in %s, because it is too long for the number of their ports and hosts, "+
			"or because its namespace has many Telemetries in permissive mode: use a shorter format, fewer attributes or fewer Telemetries.", sidecars)
	case kinds.UpstreamTrafficSetting.Kind:
		return fmt.Sprintf("Some ports deny all requests of the mesh in %s, because the routes of all ports of a pod, with their limits and descriptors, exceed %d: "+
			"use fewer limits of routes, ports or matches.", sidecars, authz.MaxRoutes)
	}
	return fmt.Sprintf("Some hosts, ranges or matches are left out in %s, because those of all Egresses of the namespace, and their sources in the "+
		"egress gateway, exceed %d: use fewer ports, hosts, ranges, matches or sources.", sidecars, authz.MaxRoutes)
}

// limitedPolicies returns for each policy with too many routes in which sidecars it is not complete.
func limitedPolicies(byReplica map[string]report.Rejections) map[policyKey]string {
	type accounts struct {
		names     []string
		all, more bool
	}
	merged := map[policyKey]accounts{}
	for _, replica := range byReplica {
		for _, one := range replica.Limited {
			p := policyKey{one.Kind, one.Namespace, one.Name}
			m := merged[p]
			merged[p] = accounts{append(m.names, one.ServiceAccounts...), m.all || len(one.ServiceAccounts) == 0, m.more || one.More > 0}
		}
	}
	result := map[policyKey]string{}
	for p, m := range merged {
		slices.Sort(m.names)
		names := slices.Compact(m.names)
		text := "the sidecars of service accounts " + strings.Join(names[:min(len(names), maxReported)], ", ")
		if m.more || len(names) > maxReported {
			text += " and others"
		}
		if m.all {
			text = "the sidecars of all clients"
		}
		result[p] = text
	}
	return result
}

// limitedCondition returns the Accepted condition of an object that is not complete in some sidecars.
func limitedCondition(kind, sidecars string, before metav1.Condition) metav1.Condition {
	return notAccepted(kinds.ReasonTooManyRoutes, limitEffect(kind, sidecars), before)
}
