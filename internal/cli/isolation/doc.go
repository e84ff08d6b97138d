// Package isolation evaluates NetworkPolicies: whether all policies that select a pod together let it connect to a server.
//
// Policies, the labels of a pod, and a server flow in; an answer flows out. Where something is unknown, such as the labels of a server in files, the answer is
// that the connection is allowed: a finding that is wrong costs more trust than one that is missing.
package isolation
