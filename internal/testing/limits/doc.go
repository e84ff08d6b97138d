// Package limits measures what Retry and UpstreamTrafficSetting do to real traffic.
//
// Policies flow in as catalog entries; the real control plane configures real sidecars by them, and the tests count what clients and
// applications see. Everything is counted, nothing depends on how fast the machine is: intervals are far longer, and waits
// far more patient, than a test takes.
package limits
