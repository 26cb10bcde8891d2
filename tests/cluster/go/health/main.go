// What GitOps tools say of an object: by kstatus, which Flux uses, and by a health script in Lua, which Argo CD runs.
//
//	health LUA-FILE < object.json   prints {"kstatus": "...", "argo": "...", "message": "..."}
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"os"

	"github.com/fluxcd/cli-utils/pkg/kstatus/status"
	lua "github.com/yuin/gopher-lua"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
)

type verdict struct {
	Kstatus string `json:"kstatus"`
	Argo    string `json:"argo"`
	Message string `json:"message"`
}

func main() {
	found, err := verdictOf(os.Args[1])
	if err == nil {
		err = json.NewEncoder(os.Stdout).Encode(found)
	}
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
}

func verdictOf(script string) (found verdict, err error) {
	var object unstructured.Unstructured
	text, err := io.ReadAll(os.Stdin)
	if err != nil {
		return found, err
	}
	if err = object.UnmarshalJSON(text); err != nil { // numbers are whole where they can be, as kstatus wants them
		return found, err
	}
	said, err := status.Compute(&object)
	if err != nil {
		return found, err
	}
	found.Kstatus = said.Status.String()
	found.Argo, found.Message, err = healthOf(script, object.Object)
	return found, err
}

// healthOf runs a script as Argo CD does: the object is the global `obj`, only the libraries base, table and string are there.
func healthOf(script string, object map[string]any) (health, message string, err error) {
	state := lua.NewState(lua.Options{SkipOpenLibs: true})
	defer state.Close()
	libraries := map[string]lua.LGFunction{lua.BaseLibName: lua.OpenBase, lua.TabLibName: lua.OpenTable, lua.StringLibName: lua.OpenString}
	for name, open := range libraries {
		if err = state.CallByParam(lua.P{Fn: state.NewFunction(open), Protect: true}, lua.LString(name)); err != nil {
			return "", "", err
		}
	}
	state.SetGlobal("obj", valueOf(state, object))
	if err = state.DoFile(script); err != nil {
		return "", "", err
	}
	table, ok := state.Get(-1).(*lua.LTable)
	if !ok {
		return "", "", fmt.Errorf("the script gave a %s; expected a table", state.Get(-1).Type())
	}
	return table.RawGetString("status").String(), table.RawGetString("message").String(), nil
}

func valueOf(state *lua.LState, value any) lua.LValue {
	switch value := value.(type) {
	case map[string]any:
		table := state.NewTable()
		for key, inner := range value {
			table.RawSetString(key, valueOf(state, inner))
		}
		return table
	case []any:
		table := state.NewTable()
		for _, inner := range value {
			table.Append(valueOf(state, inner))
		}
		return table
	case string:
		return lua.LString(value)
	case bool:
		return lua.LBool(value)
	case float64:
		return lua.LNumber(value)
	case int64:
		return lua.LNumber(value)
	}
	return lua.LNil
}
