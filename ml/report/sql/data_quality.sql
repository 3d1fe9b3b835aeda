-- grain: one row
select count(*) as n_untranslated
from reporting.untranslated_values
