package upgrade

import (
	"context"
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/openservicemesh/osm-operator/api/operator/v1alpha1"
	"github.com/openservicemesh/osm-operator/e2e/lab"
	"github.com/openservicemesh/osm-operator/e2e/report"
	"github.com/openservicemesh/osm-operator/internal/platform/names"
)

// slotFault is a fault of a pod with two slots.
type slotFault struct {
	name string
	// before waits until the effects of the fault before have passed; nil if it had none.
	before func(f slotFaults)
	cause  func(f slotFaults)
	// down is how long requests to the pod may fail; zero if none may.
	down time.Duration
	// cuts is true if the connections of the earlier Envoy are cut.
	cuts bool
}

// slotFaults are the shop, and images, of the faults of slots.
type slotFaults struct {
	shop
	first, second string
	outsider      *lab.Agent
}

const (
	// rejectingFault and endingFault are versions whose sidecars reject their configuration, and end at once.
	rejectingFault, endingFault = "rejecting", "ending"
	// stranger is a pod without a sidecar.
	stranger = "stranger"
)

var slotFaultList = []slotFault{
	// The only pod of the Service is not ready until the slot has its image back. The operator pauses for restartTimeout before that.
	{name: "the image of the idle slot cannot be pulled", down: restartTimeout + 9*time.Second, cuts: true, cause: func(f slotFaults) { f.checkSlotIsTakenBack(cart, f.first) }},
	{name: "a new Envoy rejects its configuration", cause: func(f slotFaults) { f.rollBack(rejectingFault, "ConfigurationAccepted") }},
	{name: "a new Envoy ends at once", cause: func(f slotFaults) { f.rollBack(endingFault, "SidecarsTakenOver") }},
	{name: "the serving Envoy: kill -9 after it took over", down: 5 * time.Second, cause: func(f slotFaults) {
		f.mesh.change(fmt.Sprintf(`{"sidecar":{"image":%q}}`, f.second))
		f.awaitSlots("the new Envoy serves", f.second, 1)
		f.kill(f.slotWith(f.second), "envoy")
		// The launcher starts it again.
		time.Sleep(10 * time.Second)
	}},
	{name: "the draining Envoy: kill -9", cuts: true, before: bothSlotsSecond, cause: func(f slotFaults) {
		f.mesh.change(fmt.Sprintf(`{"sidecar":{"image":%q}}`, f.first))
		f.awaitSlots("the first Envoy serves again", f.first, 1)
		f.kill(f.slotWith(f.second), "envoy")
		// The serving Envoy must notice nothing, also when it writes its next statistics.
		time.Sleep(15 * time.Second)
	}},
	{name: "the pod's sandbox: kill -9, as after a restart of the node", down: time.Minute, cuts: true, before: bothSlotsFirst, cause: func(f slotFaults) {
		f.mesh.change(fmt.Sprintf(`{"sidecar":{"image":%q}}`, f.second))
		f.awaitSlots("the new Envoy serves", f.second, 1)
		f.kill("", "pause")
		bothSlotsSecond(f)
	}},
}

func bothSlotsFirst(f slotFaults)  { f.awaitSlots("both slots have the first image", f.first, 2) }
func bothSlotsSecond(f slotFaults) { f.awaitSlots("both slots have the new image", f.second, 2) }

// TestSlotFaults causes the faults of pods with two slots one after the other under load, and prints their table of docs/faults.md.
func TestSlotFaults(t *testing.T) {
	lab.RequireFull(t)
	if lab.IsCurrent() {
		t.Fatal("faults are caused from the machine of the cluster: unset CLUSTER")
	}
	addVersions(t, map[string]string{rejectingFault: loadEnvoy(t, rejectingFault, rejecting), endingFault: loadEnvoy(t, endingFault, ending)})
	f := slotFaults{second: loadEnvoy(t, "patched", patched)}
	m := newMesh(t, "slotfaults", cluster.Version)
	// The faults must not roll back the images that cause them.
	m.change(`{"upgrade":{"gates":{"soak":"1s","maxErrorRateIncrease":"100%"},"dataPlane":{"restart":"InPlace"}}}`)
	m.awaitInjector("--in-place=true")
	f.shop = deployCart(t, m)
	f.outsider = deployStranger(t)
	f.first = f.slots(t.Context(), cart)[0]
	rows := []string{"| Fault | Requests | Failed | Allowed | Requests failed for | Connections cut |", "|---|---|---|---|---|---|"}
	for _, fault := range slotFaultList {
		t.Run(strings.ReplaceAll(fault.name, " ", "_"), func(t *testing.T) {
			of := f
			of.shop = f.in(t)
			rows = append(rows, fault.measure(of))
		})
	}
	t.Log("\n" + strings.Join(rows, "\n"))
}

// deployStranger deploys a pod outside of all meshes.
func deployStranger(t *testing.T) *lab.Agent {
	t.Helper()
	const namespace = "slotfaults-outside"
	lab.Must(t, cluster.CreateNamespace(t.Context(), namespace, ""))
	t.Cleanup(func() {
		if err := cluster.DeleteNamespace(context.WithoutCancel(t.Context()), namespace); err != nil {
			t.Error(err)
		}
	})
	account, pod := cluster.TestPod(namespace, stranger)
	lab.Must(t, cluster.Create(t.Context(), account, pod))
	lab.Must(t, cluster.PodsReady(t.Context(), podLimit, namespace))
	return cluster.Agent(t.Context(), namespace, pod.Name, lab.AgentPort)
}

// measure causes a fault under load, and returns its row.
func (fault slotFault) measure(f slotFaults) string {
	t := f.t
	if fault.before != nil {
		fault.before(f)
	}
	requests, err := f.agent(buyer).StartRequests(t.Context(), f.url(cart), "--rate", "100", "--most", "500", "--timeout", requestTimeout)
	lab.Must(t, err)
	denied, err := f.outsider.StartRequests(t.Context(), f.url(cart), "--rate", "10", "--timeout", requestTimeout)
	lab.Must(t, err)
	sessions := f.startSessions(3, 200*time.Millisecond)
	fault.cause(f)
	cut := f.stopSessions(sessions)
	allowed, err := denied.Stop(t.Context())
	lab.Must(t, err)
	result, err := requests.Stop(t.Context())
	lab.Must(t, err)
	down := downFor(result)
	if result.Failed() > 0 && fault.down == 0 || down > fault.down {
		t.Errorf("requests failed for %s: %+v", down, result)
	}
	if !result.IsRepresentative() {
		t.Errorf("too few requests were sent: %+v", result)
	}
	if len(cut) > 0 && !fault.cuts {
		t.Errorf("connections were cut: %q", cut)
	}
	if allowed.Requests == 0 || allowed.Outcomes["200"] > 0 {
		t.Errorf("requests from outside of the mesh: %+v, want some, and none that succeeds", allowed)
	}
	t.Logf("%s: %d requests, %v; connections cut: %q", fault.name, result.Requests, result.Outcomes, cut)
	return fmt.Sprintf("| %s | %d | %d | %d | %.1f s | %d of %d |", fault.name, result.Requests, result.Failed(), allowed.Outcomes["200"], down.Seconds(), len(cut), len(sessions))
}

// downFor returns the time between the first and the last failed request.
func downFor(r *report.Requests) time.Duration {
	if r.Failed() == 0 {
		return 0
	}
	return r.LastFailure.Sub(r.FirstFailure)
}

// rollBack upgrades the mesh to a version with a fault, and waits until it is rolled back by itself. No image may be set: it would be that of each version.
func (f slotFaults) rollBack(fault, gate string) {
	f.t.Helper()
	f.mesh.change(`{"version":"` + faulty(fault) + `"}`)
	entry := f.mesh.awaitResult(v1alpha1.ResultRolledBack, cluster.Version, faulty(fault))
	if !strings.Contains(entry.Reason, gate) {
		f.t.Errorf("the reason is %q, want the gate %s", entry.Reason, gate)
	}
	f.mesh.change(`{"version":"` + cluster.Version + `"}`)
	f.awaitSlots("both slots have the first image", f.first, 2)
	lab.Must(f.t, cluster.MeshReady(f.t.Context(), f.mesh.name, time.Minute))
}

// slotWith returns the slot of cart that has an image.
func (f slotFaults) slotWith(image string) string {
	f.t.Helper()
	for i, now := range f.slots(f.t.Context(), cart) {
		if now == image {
			return []string{names.SidecarContainer, names.StandbyContainer}[i]
		}
	}
	f.t.Fatalf("no slot of %s has the image %s", cart, image)
	return ""
}

// kill kills a program in a container of cart.
func (f slotFaults) kill(container, program string) {
	f.t.Helper()
	pod, err := cluster.Pod(f.t.Context(), f.namespace, lab.AppLabel, cart)
	lab.Must(f.t, err)
	pids, err := lab.Program(*pod, container, program)
	lab.Must(f.t, err)
	for _, pid := range pids {
		lab.Must(f.t, syscall.Kill(pid, syscall.SIGKILL))
	}
}
