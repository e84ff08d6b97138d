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
	"github.com/openservicemesh/osm-operator/internal/report"
	"github.com/openservicemesh/osm-operator/internal/report/client"
)

// ReasonRejectedByProxy says that a sidecar rejected what came of the object, which is withheld from its kind until it changes.
const ReasonRejectedByProxy = "RejectedByProxy"

const (
	// askInterval is how often the leader asks the other replicas. Of its own sidecars it hears at once.
	askInterval = 5 * time.Second
	// maxTold is how many rejections of one object its condition tells in full.
	maxTold = 3
	// ownReplica is the name under which this replica's own rejections are kept.
	ownReplica = ""
)

// Rejections knows which policies are withheld because of what sidecars said, to any replica of the control plane. The leader
// asks the others; a replica that does not answer is taken to say what it last said, until its pod is gone.
type Rejections struct {
	own    func() []report.Rejection
	others func(context.Context) ([]client.Answer[report.Rejections], error)
	wake   chan struct{}

	mu        sync.Mutex
	known     bool
	byReplica map[string][]report.Rejection
	byPolicy  map[policy][]report.Rejection
	listeners map[string]chan event.GenericEvent
}

type policy struct{ kind, namespace, name string }

// NewRejections makes a Rejections of what this replica and the others say.
func NewRejections(own func() []report.Rejection, others func(context.Context) ([]client.Answer[report.Rejections], error)) *Rejections {
	return &Rejections{
		own: own, others: others, wake: make(chan struct{}, 1),
		byReplica: map[string][]report.Rejection{}, listeners: map[string]chan event.GenericEvent{},
	}
}

// Changed says that this replica's own rejections have changed, or that it begins to lead. It does not block.
func (r *Rejections) Changed() {
	select {
	case r.wake <- struct{}{}:
	default:
	}
}

// watch gives the objects of a kind whose rejections have changed. Call it before Run.
func (r *Rejections) watch(kind schema.GroupVersionKind) <-chan event.GenericEvent {
	c := make(chan event.GenericEvent)
	r.listeners[kind.Kind] = c
	return c
}

// of are the rejections of an object, sorted. It says false until every replica has been asked once.
func (r *Rejections) of(kind, namespace, name string) ([]report.Rejection, bool) {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.byPolicy[policy{kind, namespace, name}], r.known
}

// Run keeps up to date while this replica leads, until ctx ends.
func (r *Rejections) Run(ctx context.Context, leading func() bool, log logr.Logger) error {
	ticker := time.NewTicker(askInterval)
	defer ticker.Stop()
	for {
		if !leading() {
			r.forget()
		} else if err := r.refresh(ctx); err != nil && ctx.Err() == nil {
			log.Error(err, "the rejections of sidecars at other replicas are not known")
		}
		select {
		case <-ctx.Done():
			return nil
		case <-ticker.C:
		case <-r.wake:
		}
	}
}

// forget is for a replica that does not lead.
func (r *Rejections) forget() {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.known = false
}

// refresh asks everybody and tells who listens what has changed.
func (r *Rejections) refresh(ctx context.Context) error {
	answers, err := r.others(ctx)
	if errors.Is(err, client.ErrNoReplicas) {
		err = nil
	}
	for _, changed := range r.take(r.own(), answers, err == nil) {
		object := traffic.Object(schema.GroupVersionKind{Kind: changed.kind})
		object.SetNamespace(changed.namespace)
		object.SetName(changed.name)
		select {
		case r.listeners[changed.kind] <- event.GenericEvent{Object: object}:
		case <-ctx.Done():
		}
	}
	for _, answer := range answers {
		err = errors.Join(err, answer.Err)
	}
	return err
}

// take replaces what is known and returns the policies about which something else is known now.
func (r *Rejections) take(own []report.Rejection, answers []client.Answer[report.Rejections], complete bool) []policy {
	r.mu.Lock()
	defer r.mu.Unlock()
	before := r.byPolicy
	current := map[string][]report.Rejection{ownReplica: own}
	if !complete {
		current = maps.Clone(r.byReplica)
		current[ownReplica] = own
	}
	for _, answer := range answers {
		current[answer.Replica] = answer.Value.Rejections
		if answer.Err != nil {
			current[answer.Replica] = r.byReplica[answer.Replica]
		}
	}
	r.byReplica, r.byPolicy, r.known = current, byPolicy(current), true
	var changed []policy
	for p := range r.listened(before, r.byPolicy) {
		if !slices.Equal(before[p], r.byPolicy[p]) {
			changed = append(changed, p)
		}
	}
	return changed
}

// listened are the policies in either map whose kind somebody listens to.
func (r *Rejections) listened(a, b map[policy][]report.Rejection) map[policy]struct{} {
	all := map[policy]struct{}{}
	for _, m := range []map[policy][]report.Rejection{a, b} {
		for p := range m {
			if r.listeners[p.kind] != nil {
				all[p] = struct{}{}
			}
		}
	}
	return all
}

// byPolicy sorts rejections by whose they are, and merges those that differ only in which of equal sidecars spoke.
func byPolicy(byReplica map[string][]report.Rejection) map[policy][]report.Rejection {
	result := map[policy][]report.Rejection{}
	for _, list := range byReplica {
		for _, one := range list {
			p := policy{one.Kind, one.Namespace, one.Name}
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

// rejectedBy is the condition of an object that sidecars rejected.
func rejectedBy(list []report.Rejection, before metav1.Condition) metav1.Condition {
	var text strings.Builder
	for _, one := range list[:min(len(list), maxTold)] {
		fmt.Fprintf(&text, "The sidecar of pod %s rejected %s %q, so this object is not in force for the sidecars of service account %s until it changes. It says: %s. ",
			one.Pod, one.Type, one.Resource, one.ServiceAccount, strings.TrimRight(one.Text, " .\n"))
	}
	if more := len(list) - maxTold; more > 0 {
		fmt.Fprintf(&text, "So do sidecars of %d other service accounts. ", more)
	}
	if before.Status == metav1.ConditionFalse {
		text.WriteString(before.Message)
	}
	return metav1.Condition{
		Type: Accepted, Status: metav1.ConditionFalse, Reason: ReasonRejectedByProxy, Message: cut(strings.TrimSpace(text.String())),
	}
}

// cut keeps a message below what the API server takes in a condition, 32768 bytes, and below what anybody reads.
func cut(message string) string {
	const most = 4096
	if len(message) <= most {
		return message
	}
	return strings.ToValidUTF8(message[:most], "") + " ..."
}
