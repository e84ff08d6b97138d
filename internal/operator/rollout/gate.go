package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Observation is the input of the gates. A nil pointer is a value that could not be observed; the gate of it does not pass.
type Observation struct {
	Now time.Time
	// UnhealthySince is the start of the step, or the later time at which a gate stopped passing. It is Now when a gate is first observed
	// not to pass. The timeout counts from it.
	UnhealthySince time.Time
	// Controller and Injector count the pods of the evaluated revision.
	Controller, Injector Replicas
	// Restarts is the number of container restarts in the pods of the control plane since the step began.
	Restarts *int
	// Proxies are the sidecars that the revision serves.
	Proxies *Proxies
	// CertificatesUntil is when the first certificate of a sidecar expires; zero without sidecars.
	CertificatesUntil *time.Time
	// Requests are those of the last minute. Baseline is the error rate before the step, 0 if there was none.
	Requests *Requests
	Baseline *float64
	// Prometheus is the error rate that Prometheus reports; nil when none is configured.
	Prometheus *Prometheus
	// HealthySince is when all other gates first passed in this step. It is later if a pod of the control plane or a restarted workload became
	// ready afterwards, and zero before.
	HealthySince time.Time
}

// Replicas counts the desired and the ready pods of a Deployment.
type Replicas struct {
	Desired, Ready int
}

// Proxies counts sidecars.
type Proxies struct {
	// Live counts pods whose sidecar should be connected, Connected those whose sidecar is.
	Live, Connected int
	// Rejected counts sidecars that reject the newest configuration.
	Rejected int
	// Example names a sidecar that rejects its configuration, with the error of Envoy; empty without one.
	Example string
}

// Prometheus is the error rate that a Prometheus server reports.
type Prometheus struct {
	Address string
	// Optional is true for a server that only spec.observability names. Without its answer the gate passes.
	Optional bool
	// ErrorRate is the current share of failed requests; nil when it is unknown, for the Reason.
	ErrorRate *float64
	Reason    string
	// Baseline is the error rate before the step; 0 without data.
	Baseline float64
}

// Bounds are the thresholds that a Mesh sets for its gates.
type Bounds struct {
	// Soak is how long all other gates must pass before the next step.
	Soak time.Duration
	// Timeout is how long the gates may take to pass.
	Timeout time.Duration
	// MaxErrorRateIncrease is the tolerated increase of the error rate; 0.01 is one percentage point.
	MaxErrorRateIncrease float64
	// MaxRejected is the tolerated number of sidecars that reject their configuration.
	MaxRejected int
	// MaxRestarts is the tolerated number of container restarts of the control plane in a step.
	MaxRestarts int
}

// State is the result of a gate.
type State int

// The states of a gate, from best to worst.
const (
	// Passed: the next step may begin.
	Passed State = iota
	// Waiting: the gate does not pass yet.
	Waiting
	// Failed: the upgrade fails.
	Failed
)

// Verdict is the result of a gate with an explanation.
type Verdict struct {
	// Gate is the gate's name, such as ReplicasReady.
	Gate  string
	State State
	// Message is a sentence with the observed values.
	Message string
}

// Gate evaluates an observation by one rule.
type Gate func(Observation, Bounds) Verdict

// Gates lists the gates of every step, in the order in which messages show them.
func Gates() []Gate {
	return []Gate{replicasReady, controlPlaneRestarts, proxiesConnected, configurationAccepted, certificatesValid, errorRate, prometheusErrorRate, soaked}
}

// Evaluate runs all gates. A gate that waits longer than the timeout fails, except the soak gate.
func Evaluate(o Observation, b Bounds) []Verdict {
	timedOut := b.Timeout > 0 && o.Now.Sub(o.UnhealthySince) > b.Timeout
	var verdicts []Verdict
	for _, gate := range Gates() {
		v := gate(o, b)
		if v.State == Waiting && timedOut && v.Gate != soakGate {
			v.State = Failed
			v.Message += fmt.Sprintf(", for longer than %s", b.Timeout)
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// Worst is the state of the worst verdict. Without verdicts it is Waiting.
func Worst(verdicts []Verdict) State {
	if len(verdicts) == 0 {
		return Waiting
	}
	worst := Passed
	for _, v := range verdicts {
		worst = max(worst, v.State)
	}
	return worst
}

// PassedExceptSoak reports whether every gate but the soak gate has passed.
func PassedExceptSoak(verdicts []Verdict) bool {
	return len(verdicts) > 0 && !slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.State != Passed && v.Gate != soakGate })
}

// Explain joins the messages of the verdicts with the given state.
func Explain(verdicts []Verdict, state State) string {
	var messages []string
	for _, v := range verdicts {
		if v.State == state {
			messages = append(messages, v.Gate+": "+v.Message)
		}
	}
	return strings.Join(messages, "; ")
}
