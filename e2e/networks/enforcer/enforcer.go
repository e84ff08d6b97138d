package enforcer

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	networkingv1 "k8s.io/api/networking/v1"
	"sigs.k8s.io/controller-runtime/pkg/client"

	"github.com/openservicemesh/osm-operator/internal/testing/guard"
)

// interval is the time between two looks at the cluster.
const interval = 100 * time.Millisecond

// Enforcer enforces NetworkPolicies until Stop.
type Enforcer struct {
	reader client.Reader
	cancel context.CancelFunc
	done   chan struct{}
	// guard is the input of a process that removes the table when this program ends in any way.
	guard io.Closer

	mu      sync.Mutex
	options Options
	applied string
	err     error
}

// Start enforces the NetworkPolicies of a cluster whose node is this machine, and follows their changes. It returns when those that exist apply.
func Start(ctx context.Context, reader client.Reader, options Options) (*Enforcer, error) {
	removal, err := guard.Start("nft delete table inet " + table + " 2>/dev/null")
	if err != nil {
		return nil, err
	}
	following, cancel := context.WithCancel(context.WithoutCancel(ctx))
	e := &Enforcer{reader: reader, options: options, guard: removal, cancel: cancel, done: make(chan struct{})}
	go e.follow(following)
	if err := e.Sync(ctx); err != nil {
		return nil, errors.Join(err, e.Stop())
	}
	return e, nil
}

// Change replaces the options, and returns when they apply.
func (e *Enforcer) Change(ctx context.Context, change func(*Options)) error {
	e.mu.Lock()
	change(&e.options)
	e.mu.Unlock()
	return e.Sync(ctx)
}

// Sync applies what the cluster has now.
func (e *Enforcer) Sync(ctx context.Context) error {
	e.mu.Lock()
	defer e.mu.Unlock()
	state, err := read(ctx, e.reader)
	if err != nil {
		return err
	}
	text, err := Ruleset(state, e.options)
	if err != nil || text == e.applied {
		return err
	}
	if err := nft(ctx, text); err != nil {
		return err
	}
	e.applied = text
	return nil
}

// Stop removes the table. It returns the first error since the start.
func (e *Enforcer) Stop() error {
	e.cancel()
	<-e.done
	err := nft(context.Background(), fmt.Sprintf("table inet %s\ndelete table inet %s\n", table, table))
	return errors.Join(e.err, err, e.guard.Close())
}

func (e *Enforcer) follow(ctx context.Context) {
	defer close(e.done)
	for {
		select {
		case <-ctx.Done():
			return
		case <-time.After(interval):
			if err := e.Sync(ctx); err != nil && e.err == nil && ctx.Err() == nil {
				e.err = err
			}
		}
	}
}

// read reads the state in a stable order.
func read(ctx context.Context, reader client.Reader) (State, error) {
	var policies networkingv1.NetworkPolicyList
	var pods corev1.PodList
	var namespaces corev1.NamespaceList
	for _, list := range []client.ObjectList{&policies, &pods, &namespaces} {
		if err := reader.List(ctx, list); err != nil {
			return State{}, err
		}
	}
	slices.SortFunc(pods.Items, func(a, b corev1.Pod) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return State{Policies: policies.Items, Pods: pods.Items, Namespaces: namespaces.Items}, nil
}

// nft changes the tables of this machine.
func nft(ctx context.Context, text string) error {
	command := exec.CommandContext(ctx, "nft", "-f", "-")
	command.Stdin = strings.NewReader(text)
	if out, err := command.CombinedOutput(); err != nil {
		return fmt.Errorf("nft: %w: %s\n%s", err, out, text)
	}
	return nil
}
