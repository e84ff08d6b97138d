package upgrade

import "fmt"

// Gate returns what a new version of a component waits for, or nothing.
type Gate func(Observation) string

// Gates lists the gates of a new version, in the order in which they are evaluated. Changes of the spec wait for none.
func Gates() []Gate { return []Gate{controlPlaneUpgraded, noOtherUpgrade} }

// controlPlaneUpgraded keeps the measurements of a rollout: the control plane is upgraded before the components, and not at the same time.
func controlPlaneUpgraded(o Observation) string {
	if o.ControlPlane == "" {
		return ""
	}
	return "waits for " + o.ControlPlane
}

// noOtherUpgrade upgrades one component at a time. The deadline of the other one limits the wait.
func noOtherUpgrade(o Observation) string {
	if o.Other == "" {
		return ""
	}
	return fmt.Sprintf("waits for the upgrade of %s", o.Other)
}

// waitingFor returns the reason of the first gate that does not pass.
func waitingFor(o Observation) string {
	if !o.NewVersion {
		return ""
	}
	for _, gate := range Gates() {
		if reason := gate(o); reason != "" {
			return reason
		}
	}
	return ""
}
