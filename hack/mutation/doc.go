// Command mutation lists changes in the code of a package that its tests do not notice: go run ./mutation [-n NUMBER] [-seed NUMBER]
// [-files NAME,...] [-with FOLDER:PATTERN,...] FOLDER.
//
// Input: the folder of a package, relative to the root of the checkout, further packages whose tests count, and explained.yaml. Output: each
// mutant that lives, and how many do. A mutant is a condition that is always true or false, a comparison with the opposite boundary, a removed
// statement, another operator, a break instead of a continue, or a returned value that is inverted or no error.
//
// All mutants are compiled into one program, in which the environment selects one of them. gremlins and go-mutesting compile a program for each,
// and gremlins leaves out the conditions of a switch, because coverage has no data about them.
package main
