// Package finding has what people are told about a policy: that another one decides instead, what does not exist, and which switch is off.
//
// Package assess and the folders of policy kinds make findings. Status, osm analyze, osm policy check-conflicts and admission print them.
package finding
