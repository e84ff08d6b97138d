package rollout

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Observation is what gates judge. A nil pointer is something that could not be observed, which is never well.
type Observation struct {
	Now time.Time
	// UnwellSince is since when not everything is well: when the step began, or when, after everything had been well in it, something was
	// seen not to be any more. Now when that is being seen for the first time.
	UnwellSince time.Time
	// Controller and Injector are the pods of the revision under judgement.
	Controller, Injector Replicas
	// Restarts is how often containers of the control plane's pods were restarted since the step began.
	Restarts *int
	// Proxies are the sidecars that the revision serves.
	Proxies *Proxies
	// CertificatesUntil is when the first certificate that sidecars hold ends; zero without sidecars.
	CertificatesUntil *time.Time
	// Requests are those of the last minute, Baseline is the share of failed ones before the step: 0 if there were none.
	Requests *Requests
	Baseline *float64
	// Mute is true for an earlier version that cannot tell how many requests fail: people who go back to it do without that gate.
	Mute bool
	// Prometheus is what one says about failed requests; nil when none shall be asked.
	Prometheus *Prometheus
	// WellSince is when all other gates had passed first in this step, or later: when a pod of the control plane or a restarted
	// workload became ready; zero before.
	WellSince time.Time
}

// Replicas counts pods.
type Replicas struct {
	Wanted, Ready int
}

// Proxies counts sidecars.
type Proxies struct {
	// Live are pods with a sidecar that should be connected, Connected those that are.
	Live, Connected int
	// Rejected are those that reject the newest configuration they were sent.
	Rejected int
	// Example names one that rejects, with Envoy's own words; empty when none does.
	Example string
}

// Prometheus is what a Prometheus says about failed requests.
type Prometheus struct {
	Address string
	// ErrorRate is the share of failed requests now; nil when it does not tell, for the Reason.
	ErrorRate *float64
	Reason    string
	// Baseline is the share before the step; 0 when it had no data then.
	Baseline float64
}

// Bounds are what a Mesh declares its gates to be.
type Bounds struct {
	// Soak is how long everything must be well before the next step.
	Soak time.Duration
	// Timeout is how long a step may wait to become well, or to become well again.
	Timeout time.Duration
	// MaxErrorRateIncrease is by how much the share of failed requests may grow, 0.01 for one in a hundred.
	MaxErrorRateIncrease float64
	// MaxRejected is how many sidecars may reject their configuration.
	MaxRejected int
	// MaxRestarts is how many restarts of the control plane's containers are tolerated in a step.
	MaxRestarts int
}

// State is the verdict of a gate.
type State int

// The states of a gate, better ones first.
const (
	// Passed: the next step may begin.
	Passed State = iota
	// Waiting: not yet; time may help.
	Waiting
	// Failed: go back.
	Failed
)

// Verdict is what a gate says.
type Verdict struct {
	// Gate is the gate's name, such as ReplicasReady.
	Gate  string
	State State
	// Message is a sentence with the numbers.
	Message string
}

// Gate judges an observation by one rule.
type Gate func(Observation, Bounds) Verdict

// Gates are those of every step, in the order in which people want to hear of them.
func Gates() []Gate {
	return []Gate{replicasReady, controlPlaneRestarts, proxiesConnected, configurationAccepted, certificatesValid, errorRate, prometheusErrorRate, soaked}
}

// Judge asks all gates. Waiting longer than the timeout is a failure of the gate that waits.
func Judge(o Observation, b Bounds) []Verdict {
	late := b.Timeout > 0 && o.Now.Sub(o.UnwellSince) > b.Timeout
	var verdicts []Verdict
	for _, gate := range Gates() {
		v := gate(o, b)
		if v.State == Waiting && late && v.Gate != soakGate {
			v.State = Failed
			v.Message += fmt.Sprintf(", for longer than %s", b.Timeout)
		}
		verdicts = append(verdicts, v)
	}
	return verdicts
}

// Worst is the state of the worst verdict; without any, Waiting: nobody has looked.
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

// Well says whether every gate has passed but the one that only time opens.
func Well(verdicts []Verdict) bool {
	return len(verdicts) > 0 && !slices.ContainsFunc(verdicts, func(v Verdict) bool { return v.State != Passed && v.Gate != soakGate })
}

// Explain joins the messages of the verdicts that have a state.
func Explain(verdicts []Verdict, state State) string {
	var messages []string
	for _, v := range verdicts {
		if v.State == state {
			messages = append(messages, v.Gate+": "+v.Message)
		}
	}
	return strings.Join(messages, "; ")
}
