package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes/fake"
	clienttesting "k8s.io/client-go/testing"

	"github.com/openservicemesh/osm-operator/internal/cli/tap"
	"github.com/openservicemesh/osm-operator/internal/mesh/catalog"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
	. "github.com/openservicemesh/osm-operator/internal/testing/meshtest"
)

// tapCluster has two pods, and records what a command tells people.
type tapCluster struct {
	clients *fake.Clientset
	pods    map[tap.Pod]*corev1.Pod
	app     *app
	notes   bytes.Buffer
}

func newTapCluster() *tapCluster {
	c := &tapCluster{pods: map[tap.Pod]*corev1.Pod{}}
	var objects []runtime.Object
	for _, name := range []string{"web-0", "web-1"} {
		pod := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}}
		c.pods[tap.Pod{Namespace: "shop", Name: name}] = pod
		objects = append(objects, pod)
	}
	c.clients = fake.NewClientset(objects...)
	c.app = &app{Streams: Streams{Err: &c.notes}, now: func() time.Time { return time.Unix(1_000_000_000, 0) }}
	return c
}

// mark is the annotation of a pod.
func (c *tapCluster) mark(t *testing.T, name string) string {
	t.Helper()
	pod, err := c.clients.CoreV1().Pods("shop").Get(t.Context(), name, metav1.GetOptions{})
	if err != nil {
		t.Fatal(err)
	}
	return pod.Annotations[names.TapUntilAnnotation]
}

func ofShare(unlogged uint32) *catalog.View {
	return Apply(&catalog.Settings{UnloggedRequests: unlogged}).View()
}

// TestTapMarksPods checks which pods are marked while a command runs, and after it.
func TestTapMarksPods(t *testing.T) {
	const during = "2001-09-09T01:51:40Z"
	for name, test := range map[string]struct {
		view *catalog.View
		want string
	}{
		"a share":    {ofShare(900_000), during},
		"everything": {ofShare(0), ""},
		"unknown":    {nil, during},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTapCluster()
			end := c.app.logAll(t.Context(), c.clients, test.view, c.pods)
			for _, pod := range []string{"web-0", "web-1"} {
				if got := c.mark(t, pod); got != test.want {
					t.Errorf("%s has the mark %q, want %q", pod, got, test.want)
				}
			}
			end()
			if got := c.mark(t, "web-0"); got != "" {
				t.Errorf("the mark %q remains", got)
			}
			if c.notes.Len() > 0 {
				t.Errorf("people are told %q", c.notes.String())
			}
		})
	}
}

// TestTapKeepsTheMarkOfAnother checks that a command does not end the tap that another one has renewed since, and that an interrupted one takes its mark back.
func TestTapKeepsTheMarkOfAnother(t *testing.T) {
	c := newTapCluster()
	ctx, interrupt := context.WithCancel(t.Context())
	end := c.app.logAll(ctx, c.clients, ofShare(1), c.pods)
	later := &tapMarks{pods: c.clients, tapped: []tap.Pod{{Namespace: "shop", Name: "web-1"}}, now: func() time.Time { return c.app.now().Add(time.Minute) }, values: map[tap.Pod]string{}}
	if _, err := later.renew(t.Context()); err != nil {
		t.Fatal(err)
	}
	interrupt()
	end()
	if got := c.mark(t, "web-0"); got != "" {
		t.Errorf("the mark %q remains", got)
	}
	if got := c.mark(t, "web-1"); got == "" {
		t.Error("the mark of another command is gone")
	}
}

// TestTapWithoutPermission checks that people are told what they do not see.
func TestTapWithoutPermission(t *testing.T) {
	for name, test := range map[string]struct {
		view *catalog.View
		want []string
	}{
		"a share": {ofShare(995_000), []string{"logs 0.5% of the requests", "1 of 2 pods", names.TapUntilAnnotation, "forbidden"}},
		"unknown": {nil, []string{"may log a share", "1 of 2 pods"}},
	} {
		t.Run(name, func(t *testing.T) {
			c := newTapCluster()
			c.clients.PrependReactor("patch", "pods", func(action clienttesting.Action) (bool, runtime.Object, error) {
				if patch, _ := action.(clienttesting.PatchAction); patch != nil && patch.GetName() == "web-1" {
					return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: "pods"}, "web-1", errors.New("no"))
				}
				return false, nil, nil
			})
			c.app.logAll(t.Context(), c.clients, test.view, c.pods)()
			for _, want := range test.want {
				if !strings.Contains(c.notes.String(), want) {
					t.Errorf("people are told %q, want %q in it", c.notes.String(), want)
				}
			}
		})
	}
}
