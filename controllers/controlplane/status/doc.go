// Package status tells the authors of policies, in the status of their objects and in Events, whether a policy is in force.
//
// SMI objects flow in from the cache; conditions and Events flow out to the API server, written by one replica at a time and
// only when they change. What a policy does to traffic never waits for its status.
package status
