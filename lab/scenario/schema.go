package scenario

import (
	"encoding/json"

	"github.com/evenkeel/evenkeel/core/config/strict"
)

// Schema returns the JSON Schema of scenario files.
func Schema() ([]byte, error) {
	file := struct {
		Scenario `yaml:",inline"`
		Live     Scenario `yaml:"live" doc:"What differs in the live size: laid over the rest, mappings merged, lists replaced."`
	}{Scenario: Default()}
	text, err := strict.Schema("evenkeel scenario", file)
	if err != nil {
		return nil, err
	}
	var schema map[string]any
	if err := json.Unmarshal(text, &schema); err != nil {
		return nil, err
	}
	// The live block says only what differs: nothing is required there, what is left out
	// is not the default but as in the rest of the file, and null takes a setting away.
	live := schema["properties"].(map[string]any)["live"]
	relax(live)
	nullable(live.(map[string]any))
	text, err = json.MarshalIndent(schema, "", "  ")
	return append(text, '\n'), err
}

// relax removes what a schema says of fields that are left out.
func relax(schema any) {
	switch s := schema.(type) {
	case map[string]any:
		delete(s, "required")
		for name, value := range s {
			if name == "default" {
				delete(s, name)
				continue
			}
			relax(value)
		}
	case []any:
		for _, value := range s {
			relax(value)
		}
	}
}

// nullable lets the fields of a mapping be null, and those of mappings in it; not those of
// lists, which are replaced as a whole.
func nullable(schema map[string]any) {
	properties, _ := schema["properties"].(map[string]any)
	for name, value := range properties {
		property := value.(map[string]any)
		description := property["description"]
		delete(property, "description")
		forms, several := property["anyOf"].([]any)
		if !several {
			forms = []any{property}
		}
		for _, form := range forms {
			nullable(form.(map[string]any))
		}
		properties[name] = map[string]any{
			"description": description,
			"anyOf":       append([]any{map[string]any{"type": "null"}}, forms...),
		}
	}
}
