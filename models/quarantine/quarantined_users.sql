-- grain: one row per row of user_list that is refused
{{ quarantine('user_list', ref('checked_users')) }}
