// Package assess says what people should know about a policy of the mesh: which other policy decides instead, what it refers to and does not exist, and
// which switch is off.
//
// A policy and a view of the mesh flow in; findings flow out, and the view records what they depend on. The answers come from the functions that
// configure sidecars: no rule of precedence is repeated here. Status, osm analyze, osm policy check-conflicts and admission print the findings.
package assess
